"""Times name their zone in browsers with a different one."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import NewContext
from tests.browser.shopping import hold, untouched
from tests.running import Shop

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(
    ("zone", "reads"),
    [("Asia/Kolkata", r"until\s+\d\d:\d\d\.\s"), ("Europe/Berlin", r"until\s+\d\d:\d\d IST\.\s"),
     ("Asia/Colombo", r"until\s+\d\d:\d\d\.\s")],
)  # fmt: skip
def test_a_deadline_names_its_zone_where_the_clock_differs(
    shop: Shop, new_context: NewContext, zone: str, reads: str
) -> None:
    page = new_context(timezone_id=zone).new_page()
    hold(page, untouched(shop))
    expect(page.locator(".clock-words")).to_have_text(re.compile(reads))
    page.get_by_role("button", name="More time").click()
    expect(page.get_by_text("1 extension left")).to_be_visible()
    expect(page.locator(".clock-words")).to_have_text(re.compile(reads))


def test_without_javascript_the_page_names_the_shops_zone(new_context: NewContext) -> None:
    page = new_context(java_script_enabled=False).new_page()
    page.goto("/reservations/")
    expect(page.get_by_text("Times are those of Asia/Kolkata (IST).")).to_be_visible()
    with_script = new_context().new_page()
    with_script.goto("/reservations/")
    expect(with_script.get_by_text("Times are those of")).to_be_hidden()

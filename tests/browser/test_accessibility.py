"""Every page and state passes axe up to WCAG 2.2 AA: light and wide, dark and on a phone."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.axe import faults
from tests.browser.conftest import Complaints
from tests.browser.shopping import (
    choose,
    confirm,
    heading,
    hold,
    move_deadline,
    open_reserve,
    pay_button,
    untouched,
)
from tests.running import Shop

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(
    "address",
    [
        "/",
        "/?q=vase&in_stock=1&sort=price",
        "/?q=zzz",
        "/p/tidal/",
        "/p/tidal/reserve/",
        "/reservations/",
        "/docs/",
        "/docs/how-it-works/",
        "/docs/settings/",
        "/docs/design/",
        "/api/docs",
        "/nope/",
    ],
)
def test_each_page_passes_axe(page: Page, complaints: Complaints, address: str) -> None:
    complaints.expect("status of 404")
    page.goto(address)
    assert faults(page) == []


def test_filters_unfolded_and_suggestions_shown(page: Page) -> None:
    page.goto("/?colour=blue")
    page.set_viewport_size({"width": 360, "height": 900})
    page.get_by_text("Filter and sort").click()
    with page.expect_response(re.compile(r"//[^/]+/\?.*q=ta")):
        page.get_by_role("searchbox").press_sequentially("ta")
    # What is replaced is faint meanwhile.
    expect(page.locator("#results")).to_have_css("opacity", "1")
    expect(page.get_by_role("group", name="Suggestions").get_by_role("link")).to_have_count(5)
    assert faults(page) == []
    page.get_by_role("button", name="Colour").click()
    expect(page.get_by_role("checkbox", name="Blue")).to_be_checked()
    assert faults(page) == []


def test_the_modal_open_and_refusing(page: Page, shop: Shop, complaints: Complaints) -> None:
    complaints.expect("status of 409")
    shelf = untouched(shop)
    form = open_reserve(page, shelf)
    assert faults(page) == []
    choose(form, shelf, shelf.units + 1)
    form.get_by_role("button", name="Reserve", exact=True).click()
    expect(form.get_by_role("alert")).to_be_visible()
    assert faults(page) == []


def test_the_checkout_live_warning_asking_and_with_mistakes(
    page: Page, shop: Shop, complaints: Complaints
) -> None:
    complaints.expect("status of 422")
    checkout = hold(page, untouched(shop))
    assert faults(page) == []
    pay_button(page).click()
    expect(page.get_by_role("alert")).to_be_visible()
    assert faults(page) == []
    page.get_by_role("link", name="Cancel the reservation").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert faults(page) == []
    move_deadline(shop, checkout, -500)
    page.reload()
    expect(page.get_by_text("Almost out of time.")).to_be_visible()
    assert faults(page) == []
    page.goto(f"{checkout}cancel/")
    assert faults(page) == []


def test_each_ending_and_the_list_of_them(page: Page, shop: Shop) -> None:
    hold(page, untouched(shop))
    confirm(page)
    expect(heading(page, "It is yours.")).to_be_visible()
    assert faults(page) == []
    for address in ("/orders/", "/orders/find/", "/bag/"):
        page.goto(address)
        assert faults(page) == []
    hold(page, untouched(shop))
    page.get_by_role("link", name="Cancel the reservation").click()
    page.get_by_role("dialog").get_by_role("button").click()
    expect(heading(page, "Back on the shelf.")).to_be_visible()
    assert faults(page) == []
    move_deadline(shop, hold(page, untouched(shop)), -601)
    page.reload()
    expect(heading(page, "The time ran out.")).to_be_visible()
    assert faults(page) == []
    hold(page, untouched(shop))
    page.goto("/reservations/")
    assert faults(page) == []

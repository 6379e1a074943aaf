"""The products that a browser saw last, on the page of another and on the empty bag."""

import pytest
from playwright.sync_api import expect

from tests.browser.axe import faults
from tests.browser.conftest import NewContext, screen
from tests.browser.test_layout import SETTLED, SHIFTED, WATCH_SHIFTS

pytestmark = pytest.mark.browser


def test_a_products_page_shows_what_was_seen_before_until_it_is_forgotten(
    new_context: NewContext,
) -> None:
    page = new_context(**screen("360-light")).new_page()
    page.add_init_script(WATCH_SHIFTS)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for address in ("/p/tidal/", "/p/chhatri-lamp/", "/p/tidal/"):
        page.goto(address)
    viewed = page.get_by_role("region", name="Recently viewed")
    expect(page.locator("#viewed")).to_be_visible()
    expect(viewed.get_by_role("article")).to_have_count(0)
    assert [url for url in asked if "/viewed/" in url] == []
    page.locator("#viewed").scroll_into_view_if_needed()
    expect(viewed.get_by_role("article")).to_have_count(1)
    expect(viewed.get_by_role("link", name="Chhatri Lamp")).to_be_visible()
    page.evaluate(SETTLED)
    assert sum(page.evaluate(SHIFTED)) == pytest.approx(0, abs=0.005)
    assert faults(page) == []
    page.goto("/bag/")
    expect(viewed.get_by_role("article")).to_have_count(2)
    assert faults(page) == []
    viewed.get_by_role("button", name="Forget these").press("Enter")
    expect(viewed).to_have_count(0)
    expect(page.locator("#main")).to_be_focused()
    page.goto("/p/tidal/")
    expect(page.locator("#viewed")).to_be_hidden()
    page.goto("/account/sign-in/?why=signed-out")
    page.goto("/p/chhatri-lamp/")
    expect(page.locator("#viewed")).to_be_hidden()

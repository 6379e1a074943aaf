"""On a slow line each wait is shown, nothing moves, and nothing is done twice."""

from collections.abc import Mapping

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import NewContext, screen
from tests.browser.shopping import (
    choose,
    heading,
    pay_at_the_bank,
    pay_button,
    type_buyer,
    units,
    untouched,
)
from tests.browser.test_layout import SETTLED, SHIFTED, WATCH_SHIFTS
from tests.running import Shop

pytestmark = pytest.mark.browser

# A phone at the edge of its network: milliseconds, and bytes a second.
SLOW: Mapping[str, object] = {
    "offline": False,
    "latency": 400,
    "downloadThroughput": 50_000,
    "uploadThroughput": 50_000,
}

# Notes each wait that is shown, where the next page finds it: while a navigation is on its way
# Playwright looks at nothing.
WATCH_WAITS = """
setInterval(() => {
  for (const it of document.querySelectorAll(".button-busy, .dialog-wait")) {
    if (it.checkVisibility({ visibilityProperty: true })) sessionStorage[it.textContent] = "shown";
  }
}, 20);
"""
WAITS = "Object.keys(sessionStorage)"


@pytest.fixture
def page(new_context: NewContext) -> Page:
    page = new_context(**screen("360-dark")).new_page()
    page.add_init_script(WATCH_SHIFTS)
    page.add_init_script(WATCH_WAITS)
    page.context.new_cdp_session(page).send("Network.emulateNetworkConditions", dict(SLOW))
    return page


def test_a_product_is_held_and_paid_on_a_slow_line(page: Page, shop: Shop) -> None:
    shelf = untouched(shop)
    page.goto(shelf.address)
    page.evaluate(SETTLED)
    assert sum(page.evaluate(SHIFTED)) == pytest.approx(0, abs=0.005)
    page.get_by_role("link", name="Reserve", exact=True).click()
    form = page.locator("#reserve-form")
    choose(form, shelf, 1)
    form.get_by_role("button", name="Reserve", exact=True).dblclick()
    expect(heading(page, f"{shelf.product} is held for you")).to_be_visible()
    # Until its script has arrived the form is sent by the browser, which shows that wait itself.
    page.wait_for_load_state()
    assert units(shop, shelf) == (shelf.units, 1)
    type_buyer(page)
    pay_button(page).dblclick()
    pay_at_the_bank(page)
    expect(heading(page, "It is yours.")).to_be_visible()
    assert units(shop, shelf) == (shelf.units - 1, 0)
    shown = {"Counting what is left…", "Holding…", "Opening the payment page…"}
    assert shown <= set(page.evaluate(WAITS))


def test_a_list_grows_on_a_slow_line(page: Page) -> None:
    page.goto("/")
    cards = page.locator(".card")
    before = cards.count()
    page.get_by_role("link", name="Load more").click()
    expect(cards).not_to_have_count(before)
    assert "Loading…" in page.evaluate(WAITS)

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


@pytest.fixture
def page(new_context: NewContext) -> Page:
    page = new_context(**screen("360-dark")).new_page()
    page.add_init_script(WATCH_SHIFTS)
    page.context.new_cdp_session(page).send("Network.emulateNetworkConditions", dict(SLOW))
    return page


def test_a_product_is_held_and_paid_on_a_slow_line(page: Page, shop: Shop) -> None:
    shelf = untouched(shop)
    page.goto(shelf.address)
    page.evaluate(SETTLED)
    assert sum(page.evaluate(SHIFTED)) == pytest.approx(0, abs=0.005)
    page.get_by_role("link", name="Reserve", exact=True).click()
    expect(page.get_by_role("dialog").get_by_text("Counting what is left…")).to_be_visible()
    form = page.locator("#reserve-form")
    choose(form, shelf, 1)
    form.get_by_role("button", name="Reserve", exact=True).dblclick()
    expect(form.get_by_text("Holding…")).to_be_visible()
    expect(heading(page, f"{shelf.product} is held for you")).to_be_visible()
    assert units(shop, shelf) == (shelf.units, 1)
    type_buyer(page)
    pay_button(page).dblclick()
    expect(page.get_by_text("Opening the payment page…")).to_be_visible()
    pay_at_the_bank(page)
    expect(heading(page, "It is yours.")).to_be_visible()
    assert units(shop, shelf) == (shelf.units - 1, 0)


def test_a_list_grows_on_a_slow_line(page: Page) -> None:
    page.goto("/")
    cards = page.locator(".card")
    before = cards.count()
    page.get_by_role("link", name="Load more").click()
    expect(page.locator("#load-more").get_by_text("Loading…")).to_be_visible()
    expect(cards).not_to_have_count(before)

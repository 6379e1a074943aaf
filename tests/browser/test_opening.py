"""An opening turns a page that stays open: at its moment, to what a new page shows, asking
nothing."""

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.axe import faults
from tests.browser.conftest import NewContext
from tests.browser.shopping import NO_POLLS, choose, heading, open_reserve, untouched
from tests.browser.test_stock_words import SAY, SHOWN, STREAM
from tests.running import Shop

pytestmark = pytest.mark.browser

OPENS = """
    UPDATE catalog_product SET opens_at = statement_timestamp() + interval '{seconds} s'
    WHERE slug = '{slug}' RETURNING id
"""


def set_opening(shop: Shop, slug: str, seconds: float) -> int:
    [[product]] = shop.sql(OPENS.format(slug=slug, seconds=seconds))
    return int(product)


def test_pages_turn_by_themselves_to_what_a_new_page_shows_and_ask_nothing(
    page: Page, new_context: NewContext, shop: Shop
) -> None:
    shelf = untouched(shop)
    grid = page.context.new_page()
    kept = {f"/?q={shelf.product}": grid, shelf.address: page}
    for address, one in kept.items():
        one.clock.install()
        # Their stream is silent, for which pages poll.
        one.add_init_script(STREAM + NO_POLLS)
        if one is page:
            # The card of the grid is from before there was an opening.
            product = set_opening(shop, shelf.slug, 7200)
            grid.evaluate(SAY, [f"0 product:{product} page"])
            grid.clock.fast_forward(3000)
        one.goto(address)
    opening = page.locator(".opening")
    expect(opening.get_by_text("hours")).to_be_visible()
    expect(opening.locator("b").nth(1)).to_have_text("01")
    expect(grid.locator(f"time[data-opens='{product}']")).to_contain_text("in 1:59:")
    assert faults(page) == []

    # Moved by staff.
    set_opening(shop, shelf.slug, 300)
    for one in kept.values():
        one.evaluate(SAY, [f"0 product:{product} page"])
        one.clock.fast_forward(3000)
    moved = shop.sql(
        f"SELECT extract(epoch FROM opens_at) FROM catalog_product WHERE id = {product}"
    )
    panel = page.locator("#reserve-panel")
    expect(panel).to_have_attribute("data-opening", f"{moved[0][0]:.6f}")
    expect(opening.get_by_text("hours")).to_be_hidden()
    expect(opening.get_by_text("minutes")).to_be_visible()
    expect(grid.locator(f"time[data-opens='{product}']")).to_contain_text("in 4:")

    opening.get_by_role("link", name="Add to calendar").focus()
    asked: list[str] = []
    for one in kept.values():
        one.on("request", lambda request: asked.append(request.url))
        one.clock.fast_forward(300_000)
    reserve = page.get_by_role("link", name="Reserve", exact=True)
    expect(reserve).to_be_visible()
    expect(opening).to_be_hidden()
    expect(reserve).to_be_focused()
    expect(page.locator("#announcer")).to_contain_text(f"{shelf.product}: ")
    expect(grid.locator(f"[data-stock='{product}']")).not_to_contain_text("Opens")
    assert asked == []

    # So long ago that there is no waiting room any more.
    set_opening(shop, shelf.slug, -7200)
    newly = new_context()
    newly.add_cookies([{"name": "allo_acted", "value": "1", "url": shop.url}])
    opened = newly.new_page()
    for address, one in kept.items():
        opened.goto(address)
        turned = [line for line in one.evaluate(SHOWN) if not line.startswith("opening | hidden")]
        assert turned == opened.evaluate(SHOWN)


@pytest.mark.parametrize("seconds", [600, 90_000])
def test_what_is_read_about_the_waiting_room_turns_with_the_opening(
    page: Page, shop: Shop, seconds: int
) -> None:
    """In its dialog and on its own page, before and after the room itself opens."""
    shelf = untouched(shop)
    set_opening(shop, shelf.slug, seconds)
    own = page.context.new_page()
    page.clock.install()
    for one, address in ((page, shelf.address), (own, f"{shelf.address}wait/")):
        one.add_init_script(STREAM + NO_POLLS)
        one.goto(address)
    page.get_by_role("link", name="Wait for the opening").press("Enter")
    asked: list[str] = []
    for one in (page, own):
        expect(one.get_by_text("It opens on")).to_be_visible()
        expect(place_button(one)).to_be_visible(visible=seconds == 600)
        assert faults(one) == []
        one.on("request", lambda request: asked.append(request.url))
    page.clock.fast_forward(seconds * 1000)
    for one in (page, own):
        expect(one.get_by_role("status").get_by_text("It is open")).to_be_visible()
        expect(one.get_by_text("You are let in after those who wait now.")).to_be_visible()
        expect(place_button(one)).to_be_visible()
        for words in ("It opens on", "let in by lot", "The waiting room opens at"):
            expect(one.get_by_text(words)).to_be_hidden()
        assert faults(one) == []
    assert asked == []
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="Reserve", exact=True)).to_be_focused()
    # For the tests that come after: so long ago that there is no waiting room any more.
    set_opening(shop, shelf.slug, -7200)


def place_button(page: Page) -> Locator:
    return page.get_by_role("button", name="Go to the waiting room")


def test_without_javascript_the_time_is_in_words_and_the_next_page_is_open(
    new_context: NewContext, shop: Shop
) -> None:
    page = new_context(java_script_enabled=False).new_page()
    shelf = untouched(shop)
    set_opening(shop, shelf.slug, 7200)
    page.goto(f"{shelf.address}reserve/")
    opening = page.locator(".opening")
    expect(opening.locator("b").first).to_be_hidden()
    expect(opening).to_contain_text("Load this page again then.")
    expect(page.get_by_role("button", name="Reserve", exact=True)).to_be_hidden()
    # So long ago that there is no waiting room any more.
    set_opening(shop, shelf.slug, -7200)
    form = open_reserve(page, shelf)
    choose(form, shelf, 1)
    form.get_by_role("button", name="Reserve", exact=True).click()
    expect(heading(page, f"{shelf.product} is held for you")).to_be_visible()

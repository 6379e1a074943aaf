"""A whole drop in the browser: the page of the product, the waiting room, and the way back."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.axe import faults
from tests.browser.conftest import Complaints, NewContext
from tests.browser.shopping import Shelf, heading, untouched
from tests.running import Shop, wait_for

pytestmark = pytest.mark.browser
ROOM = re.compile(r"/live/room/\d+/\?place=")
TURN = "It is your turn."
# By polling its own page a browser without JavaScript is let in within seconds.
TURN_MS = 60_000


def opens_in(shop: Shop, shelf: Shelf, seconds: int) -> None:
    shop.sql(
        f"UPDATE catalog_product SET opens_at = now() + interval '{seconds} s'"
        f" WHERE slug = '{shelf.slug}'"
    )


@pytest.fixture
def drop(shop: Shop) -> Iterator[Shelf]:
    """A product that opens in ten minutes."""
    shelf = untouched(shop)
    opens_in(shop, shelf, 600)
    yield shelf
    shop.sql(f"UPDATE catalog_product SET opens_at = NULL WHERE slug = '{shelf.slug}'")


def take_place(context: BrowserContext, shelf: Shelf) -> Page:
    page = context.new_page()
    page.goto(shelf.address)
    page.get_by_role("link", name="Wait for the opening").first.click()
    page.get_by_role("button", name="Go to the waiting room").click()
    expect(heading(page, "You have a place.")).to_be_visible()
    return page


def reserve(page: Page, shelf: Shelf) -> None:
    """In the turn to which the room leads by itself."""
    expect(page.get_by_text(TURN)).to_be_visible(timeout=TURN_MS)
    assert page.url.endswith(f"{shelf.address}reserve/")
    page.get_by_role("button", name="Reserve", exact=True).click()
    expect(heading(page, f"{shelf.product} is held for you")).to_be_visible()


def test_a_drop_from_the_product_to_the_checkout(
    new_context: NewContext, shop: Shop, drop: Shelf
) -> None:
    """Two shoppers; one comes by the machine's other name, and opens a second tab."""
    first, second = new_context(), new_context(base_url=shop.url.replace("127.0.0.1", "localhost"))
    pages = [take_place(context, drop) for context in (first, second)]
    assert faults(pages[0]) == []
    place = pages[1].url
    assert ROOM.search(place)
    pages[1].reload()
    expect(pages[1].get_by_text("waiting here, with you")).to_contain_text("2")
    tab = second.new_page()
    tab.goto(f"{shop.url}{drop.address}wait/")
    assert faults(tab) == []
    tab.get_by_role("button", name="Go to the waiting room").click()
    expect(tab).to_have_url(place)
    tab.close()
    # It is moved: those who wait hear of it, and keep their places.
    opens_in(shop, drop, 1200)
    for page in pages:
        expect(page.get_by_text("The opening was moved")).to_be_visible()
    # With text of twice the size, a clock of minutes is still within a phone's screen.
    pages[0].set_viewport_size({"width": 360, "height": 740})
    pages[0].evaluate("document.documentElement.style.fontSize = '200%'")
    assert pages[0].evaluate("document.documentElement.scrollWidth") == 360
    opens_in(shop, drop, 0)
    for page in pages:
        reserve(page, drop)
    # Back to the room: that turn is used.
    pages[1].goto(place)
    expect(heading(pages[1], "Your turn has passed.")).to_be_visible()


def test_a_room_that_is_away_for_a_moment_leaves_its_page_as_it_is(
    new_context: NewContext, drop: Shelf, complaints: Complaints
) -> None:
    complaints.expect("status of 502")
    page = take_place(new_context(), drop)
    page.clock.install()
    page.reload()
    # As a proxy answers for a process that is not there.
    page.route(ROOM, lambda route: route.fulfill(status=502))
    with page.expect_response(ROOM):
        page.clock.fast_forward(40_000)
    page.clock.fast_forward(40_000)
    expect(heading(page, "You have a place.")).to_be_visible()
    page.unroute_all()
    with page.expect_navigation():
        page.clock.fast_forward(40_000)
    expect(heading(page, "You have a place.")).to_be_visible()


def test_a_drop_without_javascript(new_context: NewContext, shop: Shop, drop: Shelf) -> None:
    page = take_place(new_context(java_script_enabled=False), drop)
    opens_in(shop, drop, 3)

    def comes_back_soon() -> bool:
        """Its page says of the opening what it is now; on a slow machine it is over by then."""
        page.reload()
        moved = page.get_by_text("The opening was moved")
        return moved.or_(page.get_by_text(TURN)).first.is_visible()

    wait_for(comes_back_soon)
    reserve(page, drop)
    # Whoever comes now waits as well.
    late = new_context(java_script_enabled=False).new_page()
    late.goto(f"{drop.address}reserve/")
    late.get_by_role("button", name="Go to the waiting room").click()
    reserve(late, drop)

"""Every open page tells the truth: by push within a second, by polling when there is none."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Request, expect

from tests.browser.conftest import Complaints, NewContext
from tests.browser.shopping import Shelf, confirm, heading, hold, untouched
from tests.running import PROJECT, Shop, clean_environment, wait_for

pytestmark = pytest.mark.browser

PUSHED, POLLED = 1_000, 6_000
HEARS = "performance.getEntriesByName({url!r} , 'resource')"
BLOCKED = "net::ERR_FAILED"

VERBS = """
from uuid import UUID
from reservations import services
services.{verb}(reservation_id=UUID("{pk}"))
"""


def staff(shop: Shop, verb: str, checkout: str) -> None:
    """Somebody else's hand on the reservation: a process of its own, as staff, API and clock are."""
    pk = checkout.rstrip("/").rpartition("/")[2]
    subprocess.run(
        [sys.executable, "manage.py", "shell", "--no-imports", "-c", VERBS.format(verb=verb, pk=pk)],
        cwd=PROJECT,
        env=clean_environment(STATE_DIR=str(shop.state)),
        check=True,
        capture_output=True,
    )


@pytest.fixture
def elsewhere(new_context: NewContext) -> Page:
    """Another device, of another shopper."""
    return new_context().new_page()


@pytest.fixture
def device(page: Page, new_context: NewContext) -> Callable[[], Page]:
    """Another device of the same shopper."""

    def another() -> Page:
        return new_context(storage_state=page.context.storage_state()).new_page()

    return another


@pytest.fixture(params=["push", "poll"])
def patience(request: pytest.FixtureRequest, page: Page, complaints: Complaints) -> int:
    """How many milliseconds a change may take to show on `page`, with its stream and without."""
    if request.param == "push":
        return PUSHED
    complaints.expect(BLOCKED)
    page.context.route(re.compile("/live/"), lambda route: route.abort())
    return POLLED


def visit(page: Page, address: str, patience: int = PUSHED) -> None:
    if patience == POLLED:
        page.goto(address)
        return
    with page.expect_response(re.compile("/live/")):
        page.goto(address)
    page.wait_for_timeout(150)  # from the stream's head to its first event


def stock(page: Page) -> object:
    return page.get_by_role("region", name="Price and stock")


# --- the checkout -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verb", "title"),
    [("confirm", "It is yours."), ("release", "Back on the shelf."), ("renew", None)],
)
def test_the_checkout_says_what_staff_did(
    page: Page, shop: Shop, patience: int, verb: str, title: str | None
) -> None:
    checkout = hold(page, untouched(shop))
    visit(page, checkout, patience)
    staff(shop, verb, checkout)
    changed = heading(page, title) if title else page.get_by_text("1 extension left")
    expect(changed).to_be_visible(timeout=patience)


def test_what_another_device_did_shows_and_what_is_typed_stays(
    page: Page, device: Callable[[], Page], shop: Shop
) -> None:
    checkout = hold(page, untouched(shop))
    visit(page, checkout)
    page.get_by_label("Name").press_sequentially("Asha R")
    other = device()
    other.goto(checkout)
    other.get_by_role("button", name="More time").evaluate("button => button.click()")
    expect(page.get_by_text("1 extension left")).to_be_visible(timeout=2 * PUSHED)
    page.keyboard.type("ao")
    expect(page.get_by_label("Name")).to_have_value("Asha Rao")
    confirm(other)
    expect(heading(page, "It is yours.")).to_be_visible(timeout=2 * PUSHED)


def test_the_header_agrees_in_all_tabs(page: Page, shop: Shop, patience: int) -> None:
    tab = page.context.new_page()
    visit(tab, "/docs/", POLLED)
    checkout = hold(page, untouched(shop))
    pill = tab.get_by_role("link", name=re.compile("held"))
    expect(pill).to_contain_text("1 held", timeout=patience)
    staff(shop, "release", checkout)
    expect(pill).to_be_hidden(timeout=patience)
    expect(page.get_by_role("link", name=re.compile("held"))).to_be_hidden(timeout=patience)


def test_the_list_of_reservations_is_live(page: Page, shop: Shop, patience: int) -> None:
    checkout = hold(page, untouched(shop))
    visit(page, "/reservations/", patience)
    staff(shop, "release", checkout)
    expect(page.get_by_text("Cancelled")).to_be_visible(timeout=patience)


# --- stock --------------------------------------------------------------------------------------


def test_the_product_page_counts_along(
    page: Page, elsewhere: Page, shop: Shop, patience: int
) -> None:
    shelf = untouched(shop)
    visit(page, shelf.address, patience)
    checkout = hold(elsewhere, shelf, 2)
    shelves = page.get_by_role("region", name="Price and stock")
    expect(shelves).to_contain_text(f"{shelf.units - 2} left, 2 held", timeout=patience)
    staff(shop, "release", checkout)
    expect(shelves).not_to_contain_text("held", timeout=patience)


def only_one(shop: Shop) -> Shelf:
    """A product of which there is one unit in all."""
    shelf = untouched(shop)
    shop.sql(
        "WITH row AS (SELECT row.id, row.total_units FROM inventory_inventory AS row"
        f" JOIN catalog_product AS product ON product.id = product_id WHERE slug = '{shelf.slug}'),"
        " one AS (SELECT min(id) AS id FROM row), moved AS ("
        " INSERT INTO inventory_stockmovement (inventory_id, delta, reason, note, created_at)"
        " SELECT row.id, CASE WHEN row.id = one.id THEN 1 ELSE 0 END - total_units, 'adjusted', '',"
        " now() FROM row, one WHERE total_units != CASE WHEN row.id = one.id THEN 1 ELSE 0 END)"
        " UPDATE inventory_inventory AS it SET total_units = CASE WHEN it.id = one.id THEN 1 ELSE 0"
        " END FROM row, one WHERE it.id = row.id"
    )
    name = (
        "SELECT name FROM inventory_warehouse AS w JOIN inventory_inventory AS i ON"
        " w.id = i.warehouse_id JOIN catalog_product AS p ON p.id = i.product_id"
        f" WHERE slug = '{shelf.slug}' AND i.total_units = 1"
    )
    [[warehouse]] = shop.sql(name)
    return Shelf(shelf.slug, shelf.product, warehouse, 1)


def test_a_freed_unit_can_be_reserved_again_at_once(
    page: Page, elsewhere: Page, shop: Shop, patience: int
) -> None:
    shelf = only_one(shop)
    visit(page, shelf.address, patience)
    reserve = page.get_by_role("link", name="Reserve", exact=True)
    reserve.focus()
    checkout = hold(elsewhere, shelf)
    expect(reserve).to_be_hidden(timeout=patience)
    expect(page.locator("#reserve-link-gone")).to_be_focused()
    staff(shop, "release", checkout)
    expect(reserve).to_be_visible(timeout=patience)
    reserve.click()
    expect(page.locator("#reserve-form")).to_be_visible()


def test_the_grid_counts_along_in_place(
    page: Page, elsewhere: Page, shop: Shop, patience: int
) -> None:
    shelf = only_one(shop)
    visit(page, f"/?q={shelf.product}", patience)
    card = page.locator(".card").filter(has=page.get_by_role("link", name=shelf.product))
    name = card.get_by_role("link")
    name.focus()
    places = page.locator(".card-name").all_text_contents()
    hold(elsewhere, shelf)
    expect(card).to_contain_text("All held", timeout=patience)
    expect(name).to_be_focused()
    expect(page.locator("#announcer")).to_contain_text(f"{shelf.product}: All held")
    assert page.locator(".card-name").all_text_contents() == places


def test_a_drop_refreshes_a_page_once_a_second(page: Page, shop: Shop) -> None:
    shelf = untouched(shop)
    visit(page, "/")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    command = (
        "import time\nfrom allo import live\nfrom catalog.models import Product\n"
        f"pk = Product.objects.get(slug='{shelf.slug}').pk\n"
        "for _ in range(300):\n    live.publish(f'product:{pk}')\n    time.sleep(0.01)"
    )
    subprocess.run(
        [sys.executable, "manage.py", "shell", "--no-imports", "-c", command],
        cwd=PROJECT, env=clean_environment(STATE_DIR=str(shop.state)), check=True,
    )  # fmt: skip
    page.wait_for_timeout(1200)
    assert 3 <= sum("/stock/?p=" in url for url in asked) <= 6
    assert not any("/holds/" in url for url in asked)


# --- when push goes and comes -------------------------------------------------------------------


def polls(page: Page) -> list[float]:
    asked: list[float] = []

    def hear(request: Request) -> None:
        if "/holds/" in request.url:
            asked.append(page.evaluate("performance.now()"))

    page.on("requestfinished", hear)
    return asked


def test_without_redis_the_page_polls_and_push_comes_back_by_itself(
    page: Page, elsewhere: Page, shop: Shop
) -> None:
    shelf = untouched(shop)
    visit(page, shelf.address)
    shelves = page.get_by_role("region", name="Price and stock")
    redis = shop.child("valkey-server")
    os.kill(redis, signal.SIGSTOP)
    checkout = hold(elsewhere, shelf, 1)
    expect(shelves).to_contain_text("1 held", timeout=POLLED + 4000)
    os.kill(redis, signal.SIGKILL)
    wait_for(lambda: shop.child("valkey-server") not in {0, redis}, seconds=5)
    page.wait_for_timeout(2500)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(5200)
    assert asked == []
    staff(shop, "release", checkout)
    expect(shelves).not_to_contain_text("held", timeout=PUSHED)


def test_eight_tabs_leave_the_shop_its_connections(page: Page, shop: Shop) -> None:
    """All of them in sight at once, as no real window shows them."""
    tabs = [page, *(page.context.new_page() for _ in range(7))]
    opened: list[str] = []
    page.context.on("request", lambda r: opened.append(r.url) if "/live/?" in r.url else None)
    checkout = hold(page, untouched(shop))
    for tab in tabs:
        tab.goto("/docs/design/")
    page.wait_for_timeout(500)
    assert len(opened) - 1 <= 5
    for tab in tabs:
        expect(tab.get_by_role("link", name=re.compile("1 held"))).to_be_visible()
    staff(shop, "release", checkout)
    for tab in tabs:
        expect(tab.get_by_role("link", name=re.compile("held"))).to_be_hidden(timeout=2 * PUSHED)

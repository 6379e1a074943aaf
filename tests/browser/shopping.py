"""Helpers of browser tests: a product to buy, and the steps to buy it."""

import re
from dataclasses import dataclass

from playwright.sync_api import Locator, Page, expect

from tests.running import Shop
from tests.shopping import BUYER

# Without a product that may have a waiting room. First those of which nothing is held anywhere.
UNTOUCHED = """
    SELECT product.slug, product.name, warehouse.name, row.total_units
    FROM inventory_inventory AS row
    JOIN catalog_product AS product ON product.id = row.product_id
    JOIN inventory_warehouse AS warehouse ON warehouse.id = row.warehouse_id
    WHERE row.total_units BETWEEN {least} AND {most} AND row.reserved_units = 0
    AND (product.opens_at IS NULL OR product.opens_at < now() - interval '1 h')
    ORDER BY (
        SELECT sum(other.reserved_units) FROM inventory_inventory AS other
        WHERE other.product_id = product.id
    ), (
        SELECT count(*) FROM reservations_reservation AS reservation
        JOIN inventory_inventory AS other ON other.id = reservation.inventory_id
        WHERE other.product_id = product.id
    ), product.position, row.id LIMIT 1
"""
# A script for pages that are to show only what is pushed to them, however long that takes: the poll
# of live.js, which is the one timer of seconds, is kept from them.
NO_POLLS = """
{
    const { setInterval } = window;
    window.setInterval = (act, ms, ...more) => {
        if (ms < 1000) return setInterval(act, ms, ...more);
        window.poll = { ms };
    };
}
"""
COUNTDOWN = re.compile(r"^\s*\d+:\d\d\s*$")


@dataclass(frozen=True)
class Shelf:
    """A product with units in a warehouse, none of them held."""

    slug: str
    product: str
    warehouse: str
    units: int

    @property
    def address(self) -> str:
        return f"/p/{self.slug}/"


def untouched(shop: Shop, *, least: int = 3, most: int = 9) -> Shelf:
    [row] = shop.sql(UNTOUCHED.format(least=least, most=most))
    return Shelf(*row)


def rare(shop: Shop) -> Shelf:
    """A product of which there is one unit in one warehouse, and none elsewhere."""
    shelf = untouched(shop)
    shop.sql(
        f"""
        WITH row AS (
            SELECT row.id, (warehouse.name = '{shelf.warehouse}')::int AS wanted, total_units
            FROM inventory_inventory AS row
            JOIN catalog_product AS product ON product.id = product_id
            JOIN inventory_warehouse AS warehouse ON warehouse.id = warehouse_id
            WHERE slug = '{shelf.slug}'
        ), movement AS (
            INSERT INTO inventory_stockmovement (inventory_id, delta, reason, note, created_at)
            SELECT id, wanted - total_units, 'adjusted', '', now() FROM row
            WHERE wanted != total_units
        )
        UPDATE inventory_inventory AS it SET total_units = wanted FROM row WHERE it.id = row.id
        """
    )
    return Shelf(shelf.slug, shelf.product, shelf.warehouse, 1)


def units(shop: Shop, shelf: Shelf) -> tuple[int, int]:
    """Total and reserved units of the shelf, by the database."""
    [row] = shop.sql(
        "SELECT row.total_units, row.reserved_units FROM inventory_inventory AS row"
        " JOIN catalog_product AS product ON product.id = row.product_id"
        " JOIN inventory_warehouse AS warehouse ON warehouse.id = row.warehouse_id"
        f" WHERE product.slug = '{shelf.slug}' AND warehouse.name = '{shelf.warehouse}'"
    )
    return row[0], row[1]


def move_deadline(shop: Shop, checkout: str, seconds: int) -> None:
    """Lets time pass for one reservation by moving its timestamps."""
    shop.sql(
        f"UPDATE reservations_reservation SET created_at = created_at + interval '{seconds} s',"
        f" expires_at = expires_at + interval '{seconds} s'"
        f" WHERE id = '{checkout.rstrip('/').rpartition('/')[2]}'"
    )


def open_reserve(page: Page, shelf: Shelf) -> Locator:
    """The reserve form: in the modal, or without JavaScript on a page of its own."""
    page.goto(shelf.address)
    page.get_by_role("link", name="Reserve", exact=True).click()
    form = page.locator("#reserve-form")
    expect(form).to_be_visible()
    return form


def choose(form: Locator, shelf: Shelf, quantity: int) -> None:
    form.get_by_role("radio", name=shelf.warehouse).check()
    form.get_by_label("How many").fill(str(quantity))


def hold(page: Page, shelf: Shelf, quantity: int = 1) -> str:
    """Reserves through the page; returns the address of the checkout it ended at."""
    form = open_reserve(page, shelf)
    choose(form, shelf, quantity)
    form.get_by_role("button", name="Reserve", exact=True).click()
    expect(heading(page, f"{shelf.product} is held for you")).to_be_visible()
    # Its heading is there before its scripts are.
    page.wait_for_load_state()
    return page.url


def lose_the_race(page: Page, rival: Page, shelf: Shelf, *, left: int) -> None:
    """Requests the whole stock, a moment after a rival took all but `left` of it."""
    form = open_reserve(page, shelf)
    choose(form, shelf, shelf.units)
    hold(rival, shelf, shelf.units - left)
    form.get_by_role("button", name="Reserve", exact=True).click()
    expect(form.get_by_role("alert")).to_contain_text(
        f"Only {left} left in {shelf.warehouse}, you asked for {shelf.units}."
    )


def type_buyer(page: Page, **typed: str) -> None:
    """Fills in the form of the checkout or the bag."""
    for field, value in (BUYER | typed).items():
        if field == "delivery":
            page.locator(f"[name=delivery][value={value}]").check()
        elif field == "region":
            page.locator("[name=region]").select_option(value)
        else:
            page.locator(f"[name={field}]").fill(value)


def pay_button(page: Page) -> Locator:
    return page.get_by_role("button", name=re.compile(r"^\s*Pay "))


def pay_at_the_bank(page: Page) -> None:
    """On the page of the simulated bank, which leads back to the order."""
    page.get_by_role("button", name="by card").click()


def confirm(page: Page) -> None:
    type_buyer(page)
    pay_button(page).click()
    pay_at_the_bank(page)


def heading(page: Page, name: str) -> Locator:
    return page.get_by_role("heading", level=1, name=name)


def unfold(page: Page) -> None:
    """On a phone the filters are behind a button."""
    if (fold := page.get_by_text("Filter and sort")).is_visible():
        fold.click()

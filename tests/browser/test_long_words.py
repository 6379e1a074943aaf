"""Whatever a person can type, no page of shop or admin becomes wider than the narrowest screen."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Complaints, NewContext, SignIn
from tests.browser.shopping import pay_at_the_bank, pay_button, type_buyer, untouched
from tests.browser.test_layout import overflow
from tests.running import Shop

pytestmark = pytest.mark.browser

NARROWEST = {"viewport": {"width": 320, "height": 800}}
# One word each: of a language that makes them, of one that is written from right to left, of
# pictures that are joined, and of letters that are wide.
GERMAN = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"[:78]
ARABIC = "استخدام" * 22
EMOJI = "👩‍👩‍👧‍👦" * 11
WIDE = "W" * 120

FIND = """
    SELECT product.id, product.slug, category.id, category.slug, row.id, warehouse.id
    FROM inventory_inventory AS row
    JOIN catalog_product AS product ON product.id = row.product_id
    JOIN catalog_category AS category ON category.id = product.category_id
    JOIN inventory_warehouse AS warehouse ON warehouse.id = row.warehouse_id
    WHERE product.slug = '{slug}' AND warehouse.name = '{warehouse}'
"""
TEXTS = ("name", "tagline", "description", "material", "dimensions_cm")
# What stands in the ledger and in a file that was checked.
WRITTEN = """
    INSERT INTO inventory_stockmovement (inventory_id, delta, reason, note)
    VALUES ({row}, 1, 'adjusted', '{note}'), ({row}, -1, 'adjusted', '{note}');
    WITH made AS (
        INSERT INTO inventory_stockimport
            (id, file_name, state, row_count, error_count, done, actor_id, trouble)
        SELECT gen_random_uuid(), '{file}.csv', 'checked', 1, 1, 0, min(id), '{note}'
        FROM auth_user RETURNING id
    )
    INSERT INTO inventory_stockimportrow
        (stock_import_id, line, product, warehouse, reason, note, error)
    SELECT id, 1, '{word}', '', '{short}', '{note}', '{note}' FROM made
"""


@pytest.fixture
def slug(shop: Shop) -> Iterator[str]:
    """Of a product all of whose texts are long words, as its category's and warehouse's are."""
    shelf = untouched(shop)
    [(product, slug, category, _, row, warehouse)] = shop.sql(
        FIND.format(slug=shelf.slug, warehouse=shelf.warehouse)
    )
    [texts] = shop.sql(f"SELECT {', '.join(TEXTS)} FROM catalog_product WHERE id = {product}")
    [[name]] = shop.sql(f"SELECT name FROM catalog_category WHERE id = {category}")
    long = (GERMAN, ARABIC, EMOJI + " " + "W" * 1500, WIDE, WIDE[:60])
    _set(shop, "catalog_product", product, dict(zip(TEXTS, long, strict=True)))
    _set(shop, "catalog_category", category, {"name": WIDE[:80]})
    _set(shop, "inventory_warehouse", warehouse, {"name": ARABIC[:80]})
    words = {"note": GERMAN * 2, "file": WIDE[:100], "word": WIDE[:80], "short": WIDE[:12]}
    shop.sql(WRITTEN.format(row=row, **words))
    yield slug
    _set(shop, "catalog_product", product, dict(zip(TEXTS, texts, strict=True)))
    _set(shop, "catalog_category", category, {"name": name})
    _set(shop, "inventory_warehouse", warehouse, {"name": shelf.warehouse})


def _set(shop: Shop, table: str, key: int, values: dict[str, str]) -> None:
    columns = ", ".join(f"{name} = $text${value}$text$" for name, value in values.items())
    shop.sql(f"UPDATE {table} SET {columns} WHERE id = {key}")


def wide(page: Page, addresses: list[str]) -> dict[str, int]:
    """By how much each of these pages has to be scrolled sideways."""
    found = {}
    for address in addresses:
        response = page.goto(address)
        assert response
        assert response.status in {200, 404}, address
        # Where the admin leads from an address that it does not know.
        assert address == "/admin/" or urlsplit(page.url).path != "/admin/", address
        if by := overflow(page):
            found[address] = by
    return found


def test_no_page_of_the_shop_is_wider_than_the_screen(
    shop: Shop, slug: str, new_context: NewContext, complaints: Complaints
) -> None:
    complaints.expect("status of 404")
    page = new_context(**NARROWEST).new_page()
    [[category]] = shop.sql(
        "SELECT category.slug FROM catalog_category AS category JOIN catalog_product AS product"
        f" ON product.category_id = category.id WHERE product.slug = '{slug}'"
    )
    page.goto(f"/p/{slug}/reserve/")
    page.get_by_role("button", name="Reserve", exact=True).click()
    page.wait_for_url("**/checkout/**")
    held = page.url
    typed = {
        "name": WIDE, "email": f"{'w' * 60}@example.org", "line1": WIDE, "line2": ARABIC[:120],
        "city": GERMAN[:80],
    }  # fmt: skip
    type_buyer(page, **typed)
    found = wide(page, [held, f"{held}cancel/", f"/p/{slug}/", "/reservations/", "/bag/"])
    page.goto(held)
    type_buyer(page, **typed)
    pay_button(page).click()
    pay_at_the_bank(page)
    page.get_by_role("heading", name="It is yours.").wait_for()
    assert overflow(page) == 0
    found |= wide(
        page,
        [
            held, "/orders/", "/orders/find/", f"/p/{slug}/", f"/p/{slug}/reserve/",
            f"/?q={GERMAN}", f"/?q={WIDE[:100]}",
            f"/?q={ARABIC[:100]}", f"/?category={category}", "/reservations/", f"/{WIDE}/",
        ],
    )  # fmt: skip
    assert found == {}


ADMIN_PAGES = """
    SELECT '/admin/catalog/product/' || product.id || '/change/',
        '/admin/catalog/product/unpublish/?id=' || product.id,
        '/admin/catalog/category/' || product.category_id || '/change/',
        '/admin/inventory/inventory/' || row.id || '/change/',
        '/admin/inventory/inventory/receive/?id=' || row.id,
        '/admin/inventory/inventory/transfer/?id=' || row.id,
        '/admin/inventory/stockmovement/?row=' || row.id,
        '/admin/inventory/warehouse/' || row.warehouse_id || '/change/',
        '/admin/reservations/reservation/?state=any&product=' || product.id,
        (SELECT '/admin/inventory/stockimport/' || id || '/change/' FROM inventory_stockimport
            WHERE row_count = 1 LIMIT 1),
        (SELECT '/admin/reservations/reservation/' || id || '/change/'
            FROM reservations_reservation WHERE inventory_id = row.id LIMIT 1),
        (SELECT '/admin/reservations/reservation/release/?id=' || id
            FROM reservations_reservation WHERE inventory_id = row.id AND status = 'pending')
    FROM catalog_product AS product
    JOIN inventory_inventory AS row ON row.product_id = product.id
    JOIN inventory_warehouse AS warehouse ON warehouse.id = row.warehouse_id
    WHERE product.slug = '{slug}' AND warehouse.name LIKE 'است%'
"""
LISTS = (
    "catalog/product", "catalog/category", "inventory/inventory", "inventory/warehouse",
    "inventory/stockmovement", "inventory/stockimport", "inventory/lowstock",
    "reservations/reservation",
)  # fmt: skip


def test_no_page_of_the_admin_is_wider_than_the_screen(
    shop: Shop, slug: str, sign_in: SignIn
) -> None:
    page = sign_in("manager", **NARROWEST)
    page.goto(f"/p/{slug}/reserve/")
    page.get_by_role("button", name="Reserve", exact=True).click()
    page.get_by_label("Name", exact=True).fill(WIDE)
    page.get_by_label("E-mail").fill(f"{'w' * 60}@example.org")
    page.get_by_label("E-mail").blur()
    [pages] = shop.sql(ADMIN_PAGES.format(slug=slug))
    lists = [f"/admin/{name}/" for name in LISTS]
    searched = [f"{address}?q={WIDE}" for address in lists]
    addresses = ["/admin/", *lists, *searched, f"{lists[0]}?q={GERMAN}", *filter(None, pages)]
    assert wide(page, addresses) == {}

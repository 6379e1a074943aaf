"""Lists of large tables: the number of their queries, and the indexes used."""

import re
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from allo.postgresql import timeouts
from inventory.models import Inventory
from tests.server import rows_read
from tests.stock import stocked

pytestmark = pytest.mark.django_db

INVENTORY, LEDGER = "/admin/inventory/inventory/", "/admin/inventory/stockmovement/"
# Half of all sales are of one row. One line in a thousand is by staff; few are from the first day.
GROWN = """
    INSERT INTO catalog_product (slug, name, category_id, tagline, description, material,
        dimensions_cm, price_paise, image, width, height, alt, dominant_hex, position)
    SELECT 'p-' || n, 'Product ' || n, {category}, '', '', '', '', 100, 'x', 1, 1, '', '#808080', n
    FROM generate_series(1, 2000) AS n;
    INSERT INTO inventory_inventory
        (product_id, warehouse_id, total_units, reserved_units, low_stock_threshold)
    SELECT id, {warehouse}, 1000000, 0, 2 FROM catalog_product WHERE slug LIKE 'p-%';
    INSERT INTO inventory_stockmovement
        (inventory_id, delta, reason, reference, note, created_at)
    SELECT CASE WHEN n % 2 = 0 THEN {row} ELSE {row} + 1 + n % 2000 END, -1,
        CASE WHEN n % 1000 = 0 THEN 'damaged' ELSE 'sold' END, gen_random_uuid(), '',
        now() - interval '400 days' + n * interval '1 minute'
    FROM generate_series(1, {lines}) AS n;
    INSERT INTO reservations_reservation (id, inventory_id, quantity, unit_paise, name, holder,
        address, created_at, expires_at, ended_at, status, renewals)
    SELECT gen_random_uuid(), {row} + 1 + n % 2000, 1, 100, 'Product', 'session:' || n, '', now(),
        now() + interval '1 hour', CASE WHEN n > 500 THEN now() END,
        CASE WHEN n > 500 THEN 'released' ELSE 'pending' END, 0
    FROM generate_series(1, {lines}) AS n;
    ANALYZE inventory_stockmovement, inventory_inventory, reservations_reservation,
        catalog_product
"""
LINES = 100_000


@pytest.fixture(scope="module")
def grown(module_db) -> Inventory:
    row = stocked(1_000_000)
    names = {"category": row.product.category_id, "warehouse": row.warehouse_id, "row": row.pk}
    # ANALYZE may meet autovacuum, which has the same lock of a table.
    timeouts.lift("lock_timeout")
    with connection.cursor() as cursor:
        cursor.execute(GROWN.format(**names, lines=LINES))
    connection.check_constraints()
    return row


def opened(client: Any, address: str) -> list[str]:
    """The queries of a page."""
    with CaptureQueriesContext(connection) as queries:
        assert client.get(address).status_code == 200
    return [query["sql"] for query in queries]


def scanned_whole(statement: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {statement}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    tables = ("inventory_stockmovement", "reservations_reservation")
    return any(f"Seq Scan on {table}" in plan for table in tables) and "Limit" not in plan


def test_no_list_reads_a_whole_table_whatever_it_is_filtered_by(admin_client, grown) -> None:
    asked = {
        INVENTORY: 7,
        f"{INVENTORY}?stock=low&q=product": 7,
        f"{INVENTORY}?stock=fully_held&warehouse__id__exact={grown.warehouse_id}": 7,
        f"{INVENTORY}{grown.pk}/change/": 10,
        LEDGER: 7,
        f"{LEDGER}?p=50": 7,
        f"{LEDGER}?p=900": 7,
        f"{LEDGER}?row={grown.pk}": 7,
        f"{LEDGER}?row={grown.pk}&p=90": 8,
        f"{LEDGER}?row={grown.pk + 7}": 7,
        f"{LEDGER}?product=p-77": 7,
        f"{LEDGER}?product=tidal": 7,
        f"{LEDGER}?product=product": 8,
        f"{LEDGER}?inventory__warehouse__id__exact={grown.warehouse_id}": 7,
        f"{LEDGER}?reason__exact=damaged": 7,
        f"{LEDGER}?reason__exact=lost": 7,
        f"{LEDGER}?actor=nobody": 7,
        f"{LEDGER}?day=2020-02-02": 7,
        f"{LEDGER}?q=p-77&o=4": 7,
    }
    for address, queries in asked.items():
        statements = opened(admin_client, address)
        assert len(statements) <= queries, address
        assert [s for s in statements if scanned_whole(s)] == [], address


def test_a_list_of_most_products_reads_what_it_shows_and_counts(admin_client, grown) -> None:
    before = rows_read("inventory_stockmovement")
    opened(admin_client, f"{LEDGER}?product=product")
    assert rows_read("inventory_stockmovement") - before < LINES / 4


def test_the_length_of_a_long_list_is_not_counted(admin_client, grown) -> None:
    whole = admin_client.get(LEDGER).context["cl"].result_count
    assert str(whole).startswith("about ")
    assert abs(int(whole) - LINES) < LINES / 20
    page = admin_client.get(LEDGER, {"row": grown.pk})
    assert str(page.context["cl"].result_count) == "10,000+"
    assert "10,000+ stock movements" in page.content.decode()


def test_a_long_account_has_the_balance_of_each_line(admin_client, grown) -> None:
    Inventory.objects.filter(pk=grown.pk).update(total_units=1_000_000 - LINES // 2)
    lines = admin_client.get(LEDGER, {"row": grown.pk}).context["cl"].result_list
    first = 1_000_000 - LINES // 2
    assert [line.balance for line in lines[:3]] == [first, first + 1, first + 2]


def test_pages_run_as_many_queries_for_many_rows_as_for_one(admin_client) -> None:
    ids: list[int] = []

    def look(address: str) -> int:
        with CaptureQueriesContext(connection) as queries:
            body = admin_client.get(address).content.decode()
        assert len(set(re.findall(r"Bowl-\d+", body))) == len(ids), address
        return len(queries)

    def look_at_all() -> list[int]:
        chosen = ",".join(map(str, ids))
        pages = f"{INVENTORY}?q=bowl", f"{LEDGER}?product=bowl", f"{INVENTORY}receive/?id={chosen}"
        return [look(page) for page in pages]

    ids.append(stocked(5, product="bowl-0").pk)
    for_one = look_at_all()
    ids += [stocked(5, product=f"bowl-{n}").pk for n in range(1, 30)]
    assert look_at_all() == for_one == [7, 8, 3]

"""Lists and front page over a long history use indexes and few queries, and count nothing in full.
With 100,000 reservations and their orders the planner chooses as with a million."""

import pgtrigger
import pytest
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from allo.postgresql import timeouts
from checkout.models import Order
from inventory.models import Inventory
from reservations.models import Reservation
from tests.server import rows_read
from tests.stock import stocked

pytestmark = pytest.mark.django_db

MANY = 100_000
LONG = ("reservations_reservation", "checkout_order", "checkout_orderline")
LIST = "/admin/reservations/reservation/"
ORDERS = "/admin/checkout/order/"
PLAIN = 9

HISTORY = """
    INSERT INTO reservations_reservation (id, inventory_id, quantity, unit_paise, name,
                                          status, holder, address, created_at,
                                          expires_at, ended_at, renewals)
    SELECT md5('r' || n)::uuid, (%s::bigint[])[1 + n %% 40], 1, 385000, 'Vase', status,
           'session:' || md5(n::text)::uuid, '',
           at, at + interval '10 min', at + interval '4 min', 0
    FROM generate_series(1, %s) AS n,
         LATERAL (SELECT now() - interval '20 min' - n * interval '9 s' AS at,
                         CASE n %% 10 WHEN 0 THEN 'released' WHEN 1 THEN 'expired'
                                      ELSE 'confirmed' END AS status) AS past
"""
CONTACTS = """
    INSERT INTO checkout_contact (reservation_id, name, email, changed_at)
    SELECT id, 'Asha', left(id::text, 8) || '@example.org', created_at
    FROM reservations_reservation WHERE status = 'confirmed'
"""
# One of each sale; of a thousand, one is to be packed and one to be sent.
BOUGHT = """
    INSERT INTO checkout_order (id, number, holder, total_paise, name, email, phone, state,
                                opened_at, placed_at, paid_at, packed_at, shipped_at, delivered_at)
    SELECT md5('o' || id)::uuid, 'AL-' || lpad((n / 10000)::text, 4, '0') || '-'
               || lpad(mod(n, 10000)::text, 4, '0'),
           holder, 385000, 'Asha ' || n, left(id::text, 8) || '@example.org',
           '+9198' || lpad(n::text, 8, '0'), state, ended_at, ended_at, ended_at,
           CASE WHEN state <> 'paid' THEN ended_at END,
           CASE WHEN state = 'delivered' THEN ended_at END,
           CASE WHEN state = 'delivered' THEN ended_at END
    FROM (SELECT *, row_number() OVER (ORDER BY id) AS n FROM reservations_reservation
          WHERE status = 'confirmed') AS sold,
         LATERAL (SELECT CASE mod(n, 1000) WHEN 0 THEN 'paid' WHEN 1 THEN 'packed'
                                      ELSE 'delivered' END AS state) AS far
"""
LINES = """
    INSERT INTO checkout_orderline (order_id, reservation_id, name, unit_paise, quantity,
                                    gst_percent, gst_paise, shipped_at, carrier, tracking)
    SELECT bought.id, held.id, held.name, unit_paise, quantity, 18, 58729, shipped_at,
           CASE WHEN shipped_at IS NULL THEN '' ELSE 'Blue Dart' END,
           CASE WHEN shipped_at IS NULL THEN '' ELSE 'BD' || right(phone, 8) END
    FROM reservations_reservation AS held
         JOIN checkout_order AS bought ON bought.id = md5('o' || held.id)::uuid
"""


@pytest.fixture(scope="module")
def staff(module_db) -> Client:
    rows = [
        stocked(9, product=f"vase-{n}", warehouse=code).pk
        for n in range(20)
        for code in ("blr-01", "del-01")
    ]
    # ANALYZE may meet autovacuum, which has the same lock of a table.
    timeouts.lift("lock_timeout")
    with connection.cursor() as cursor:
        cursor.execute(HISTORY, [rows, MANY])
        with pgtrigger.ignore("checkout.Contact:sold_contact_is_final"):
            cursor.execute(CONTACTS)
        with pgtrigger.ignore("checkout.Order:order_begins_open"):
            cursor.execute(BOUGHT)
        # Without statistics the join would compare each order with each reservation.
        cursor.execute("ANALYZE checkout_order, reservations_reservation")
        with pgtrigger.ignore(
            "checkout.OrderLine:line_is_as_it_was_held",
            "checkout.OrderLine:line_is_of_an_open_order",
        ):
            cursor.execute(LINES)
        cursor.execute("ANALYZE")
    connection.check_constraints()
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    return client


def some() -> Reservation:
    return Reservation.objects.filter(status="confirmed").order_by("ended_at")[50]


ADDRESSES = {
    "today": lambda: "/admin/",
    "live": lambda: LIST,
    "soon": lambda: f"{LIST}?state=soon",
    "overdue": lambda: f"{LIST}?state=overdue",
    "confirmed": lambda: f"{LIST}?state=confirmed",
    "released": lambda: f"{LIST}?state=released",
    "a deep page": lambda: f"{LIST}?state=confirmed&p=60",
    "of a warehouse": lambda: f"{LIST}?state=expired&inventory__warehouse__id__exact=1",
    "of a product": lambda: (
        f"{LIST}?state=expired&product={Inventory.objects.earliest('pk').product_id}"
    ),
    "by id": lambda: f"{LIST}?q={some().pk}",
    "by 8 characters": lambda: f"{LIST}?q={str(some().pk)[:8]}",
    "by holder": lambda: f"{LIST}?q={some().holder}",
    "by e-mail": lambda: f"{LIST}?q={str(some().pk)[:8]}@example.org",
    "by product": lambda: f"{LIST}?q=vase-3&state=confirmed",
    "one": lambda: f"{LIST}{some().pk}/change/",
    "orders to pack": lambda: ORDERS,
    "orders to send from a warehouse": lambda: f"{ORDERS}?state=packed&warehouse=del-01",
    "orders on delivery": lambda: f"{ORDERS}?provider=none",
    "orders delivered": lambda: f"{ORDERS}?state=delivered",
    "any order": lambda: f"{ORDERS}?state=any",
    "a deep page of orders": lambda: f"{ORDERS}?state=delivered&p=60",
    "an order by number": lambda: f"{ORDERS}?q=al0004-2000",
    "an order by name": lambda: f"{ORDERS}?q=asha+42000",
    "orders by a frequent name": lambda: f"{ORDERS}?q=asha",
    "an order by e-mail": lambda: f"{ORDERS}?q={str(some().pk)[:8]}@example.org",
    "an order by reservation": lambda: f"{ORDERS}?q={some().pk}",
    "an order by 8 characters": lambda: f"{ORDERS}?q={str(some().pk)[:8]}",
    "an order by telephone": lambda: f"{ORDERS}?q=98000+42000",
    "an order by tracking number": lambda: f"{ORDERS}?q=bd00042005",
    "an order by nothing that is known": lambda: f"{ORDERS}?q=bd99942005",
    "sales of today": lambda: f"{ORDERS}sales/",
    "slips": lambda: f"{ORDERS}slip/?id={Order.objects.filter(state='paid')[5].pk}",
}


@pytest.mark.parametrize("name", ADDRESSES)
def test_a_page_over_a_long_history_uses_indexes_and_few_queries(staff, name) -> None:
    address = ADDRESSES[name]()
    # Each process asks for these once.
    ContentType.objects.get_for_models(Reservation, Order)
    with CaptureQueriesContext(connection) as queries:
        assert staff.get(address).status_code == 200
    assert len(queries) <= (27 if name == "today" else PLAIN)
    for query in queries.captured_queries:
        assert_bounded(query["sql"])


@pytest.mark.parametrize("words", ["98000 42000", "bd00042005", "bd99942005"])
def test_a_search_by_telephone_or_tracking_number_reads_what_it_shows(staff, words) -> None:
    """Not all lines along their keys either, which is no full scan to the planner."""
    before = rows_read("checkout_order%")
    page = staff.get(ORDERS, {"q": words})
    assert len(page.context["cl"].result_list) == (words != "bd99942005")
    assert rows_read("checkout_order%") - before < 20


def assert_bounded(sql: str) -> None:
    """No full scan of the history; only index scans that a LIMIT ends early."""
    if not sql.startswith("SELECT") or not any(f'FROM "{table}"' in sql for table in LONG):
        return
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {sql}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    # A day is so much of this history that reading all its lines may be cheaper than each; which
    # orders it has is read from the index.
    long = LONG[1:2] if '"paid_at" >=' in sql else LONG
    if any(f"Seq Scan on {table} " in plan for table in long):
        assert "LIMIT 10001" in sql, f"{sql}\n{plan}"

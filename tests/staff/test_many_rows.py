"""Lists and front page over a long history use indexes and few queries, and count nothing in full.
With 100,000 reservations the planner chooses as with a million."""

import pgtrigger
import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from inventory.models import Inventory
from reservations.models import Reservation
from tests.stock import stocked

pytestmark = pytest.mark.django_db

MANY = 100_000
LIST = "/admin/reservations/reservation/"
PLAIN = 7

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


@pytest.fixture(scope="module")
def staff(module_db) -> Client:
    rows = [
        stocked(9, product=f"vase-{n}", warehouse=code).pk
        for n in range(20)
        for code in ("blr-01", "del-01")
    ]
    with connection.cursor() as cursor:
        cursor.execute(HISTORY, [rows, MANY])
        with pgtrigger.ignore("checkout.Contact:sold_contact_is_final"):
            cursor.execute(CONTACTS)
        cursor.execute("ANALYZE reservations_reservation, checkout_contact, inventory_inventory")
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
}


@pytest.mark.parametrize("name", ADDRESSES)
def test_a_page_over_a_long_history_uses_indexes_and_few_queries(staff, name) -> None:
    address = ADDRESSES[name]()
    with CaptureQueriesContext(connection) as queries:
        assert staff.get(address).status_code == 200
    assert len(queries) <= (13 if name == "today" else PLAIN)
    for query in queries.captured_queries:
        assert_bounded(query["sql"])


def assert_bounded(sql: str) -> None:
    """No full scan of the history; only index scans that a LIMIT ends early."""
    if not sql.startswith("SELECT") or "reservations_reservation" not in sql:
        return
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {sql}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    if "Seq Scan on reservations_reservation" in plan:
        assert "LIMIT 10001" in sql, f"{sql}\n{plan}"

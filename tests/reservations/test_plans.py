"""How much the engine reads, by PostgreSQL's own counts: as little in the middle of a drop as on a
quiet day, whatever was there when its statements were prepared."""

import pytest
from django.db import connection

from inventory.models import Inventory
from reservations import services
from reservations.engine.commands import Holder
from reservations.engine.idempotency import Once, Reply
from tests.server import rows_read
from tests.stock import stocked

pytestmark = pytest.mark.django_db

HISTORY = ("reservations_reservation", "reservations_idempotencykey")
PENDING = """
    INSERT INTO reservations_reservation
        (id, inventory_id, quantity, unit_paise, name, status, holder, address, around, created_at,
         expires_at, renewals)
    SELECT gen_random_uuid(), %s, 1, 385000, 'Tidal', 'pending', 'session:' || n,
        '192.0.2.' || n %% 250 || '/32', '192.0.2', now(), now() + interval '10 minutes', 0
    FROM generate_series(1, 2000) AS n
"""
UNPAID = """
    INSERT INTO reservations_reservation
        (id, inventory_id, quantity, unit_paise, name, status, holder, address, created_at,
         expires_at, ended_at, renewals)
    SELECT gen_random_uuid(), %s, 1, 385000, 'Tidal', 'expired', 'session:' || n,
        '192.0.2.' || n %% 250 || '/32', now() - interval '10 minutes', now(), now(), 0
    FROM generate_series(1, 2000) AS n
"""
SOLD = """
    INSERT INTO reservations_reservation
        (id, inventory_id, quantity, unit_paise, name, status, holder, address, created_at,
         expires_at, ended_at, renewals)
    SELECT gen_random_uuid(), %s, 1, 385000, 'Tidal', 'confirmed', 'user:' || n, '',
        now() - interval '10 minutes', now() + interval '1 minute', now(), 0
    FROM generate_series(1, 2000) AS n
"""
KEYS = """
    INSERT INTO reservations_idempotencykey
        (client, endpoint, key, request_hash, status, body, created_at)
    SELECT 'session:' || n, 'reserve', n, '', 201, '', now() FROM generate_series(1, 2000) AS n
"""


def hold(row: Inventory, name: str) -> None:
    holder = f"session:{name}"
    once = Once(holder, "reserve", name, b"1", lambda _: Reply(201, "{}"))
    services.reserve.once(
        once, product_id=row.product_id, quantity=1, holder=Holder(holder, "198.51.100.7/32")
    )


def test_a_hold_in_the_middle_of_a_drop_reads_none_of_the_others(settings) -> None:
    settings.RESERVATION_MAX_SHARE = 25
    settings.RESERVATION_COOL_DOWN_MINUTES = [5, 30, 120]
    row = stocked(100)
    with connection.cursor() as cursor:
        # What other tests rolled back makes the files longer, by which the planner judges.
        cursor.execute("TRUNCATE reservations_reservation, reservations_idempotencykey CASCADE")
        # With one row each index is as good as the other, and a table is a page. Without any, the
        # planner would keep what it knew of the columns in other tests.
        hold(row, "first")
        cursor.execute("ANALYZE reservations_reservation, reservations_idempotencykey")
        for n in range(12):
            hold(row, f"early-{n}")
        cursor.execute(PENDING, [row.pk])
        cursor.execute(UNPAID, [row.pk])
        cursor.execute(SOLD, [row.pk])
        cursor.execute(KEYS)
    before = rows_read(*HISTORY)
    hold(row, "late")
    assert rows_read(*HISTORY) - before < 50

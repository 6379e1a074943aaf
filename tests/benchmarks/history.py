"""The time of a reservation after millions of earlier ones."""

from collections.abc import Iterator, Sequence

from django.db import connection

from tests.benchmarks.contenders import allo
from tests.benchmarks.load import measure

OLD = 5_000_000

FILL = """
INSERT INTO reservations_reservation (id, inventory_id, quantity, unit_paise, name, status, holder,
    address, created_at, expires_at, ended_at, renewals)
SELECT gen_random_uuid(), i.id, 1, 100, 'Old', 'expired', 'session:' || n, '',
    now() - interval '90 days', now() - interval '89 days', now() - interval '89 days', 0
FROM generate_series(1, %s) n
JOIN (SELECT id, row_number() OVER (ORDER BY id) AS place FROM inventory_inventory) i
    ON i.place = n %% 200 + 1
"""


def report(rows: Sequence[int]) -> Iterator[str]:
    before = measure(allo, rows, processes=1, callers=1, keys=False)
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute(FILL, [OLD])
        cursor.execute("VACUUM ANALYZE reservations_reservation")
    # Warm up first: the first calls read the index into memory.
    measure(allo, rows, processes=1, callers=1, keys=False)
    after = measure(allo, rows, processes=1, callers=1, keys=False)
    yield (
        f"A lone caller's `reserve`, p50: {before.p50_ms:.2f} ms as the run began, "
        f"{after.p50_ms:.2f} ms with {OLD:,} old reservations "
        f"({(after.p50_ms / before.p50_ms - 1) * 100:+.0f} %)."
    )

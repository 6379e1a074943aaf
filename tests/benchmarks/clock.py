"""The sweep of many due holds, compared with one bulk statement, and its effect on shoppers."""

import time
from collections.abc import Iterator
from threading import Event, Thread

from django.db import connection

from reservations.clock.expiry import expire_due
from tests.benchmarks.contenders import allo, new_holder
from tests.benchmarks.load import Measured

DUE = 100_000

FILL = """
WITH held AS (
    INSERT INTO reservations_reservation (id, inventory_id, quantity, unit_paise, name, status,
        holder, address, created_at, expires_at, renewals)
    SELECT gen_random_uuid(), i.id, 1, 100, 'Old', 'pending', 'session:' || n, '',
        now() - interval '1 hour', now() - interval '50 min', 0
    FROM generate_series(1, %s) n
    JOIN (SELECT id, row_number() OVER (ORDER BY id) AS place FROM inventory_inventory) i
        ON i.place = n %% 200 + 1
    RETURNING inventory_id
)
UPDATE inventory_inventory i SET reserved_units = reserved_units + h.units
FROM (SELECT inventory_id, count(*) AS units FROM held GROUP BY 1) h WHERE h.inventory_id = i.id
"""

BULK = """
WITH expired AS (
    UPDATE reservations_reservation SET status = 'expired', ended_at = now()
    WHERE status = 'pending' AND expires_at <= now() RETURNING inventory_id, quantity
)
UPDATE inventory_inventory i SET reserved_units = reserved_units - f.units
FROM (SELECT inventory_id, sum(quantity) AS units FROM expired GROUP BY 1) f
WHERE i.id = f.inventory_id
"""

UNLIMITED = "SET statement_timeout = 0; SET transaction_timeout = 0"


def report(row: int) -> Iterator[str]:
    bulk, bulk_p99 = _timed(_bulk, row)
    sweep, sweep_p99 = _timed(expire_due, row)
    _, calm_p99 = _timed(lambda: Event().wait(2), row, fill=False)
    yield f"{DUE:,} due holds on 200 rows; one caller reserves all the while.\n"
    yield "| | seconds | `reserve` p99 meanwhile, ms |\n|---|---|---|"
    yield f"| one bulk statement | {bulk:.1f} | {bulk_p99:,.0f} |"
    yield f"| `expire_due` | {sweep:.1f} ({sweep / bulk:.2f} ×) | {sweep_p99:,.0f} |"
    yield f"| nothing to sweep | – | {calm_p99:,.0f} |"


def _bulk() -> None:
    with connection.cursor() as cursor:
        cursor.execute(UNLIMITED)
        cursor.execute(BULK)


def _timed(work, row: int, *, fill: bool = True) -> tuple[float, float]:
    """Seconds, and the p99 in ms of a caller that reserves meanwhile."""
    with connection.cursor() as cursor:
        if fill:
            cursor.execute(UNLIMITED)
            cursor.execute(FILL, [DUE])
        cursor.execute("VACUUM ANALYZE reservations_reservation")
    over = Event()
    latencies: list[float] = []
    shopper = Thread(target=_shop, args=(row, over, latencies))
    shopper.start()
    started = time.perf_counter()
    work()
    seconds = time.perf_counter() - started
    over.set()
    shopper.join()
    return seconds, Measured.of(latencies, seconds).p99_ms


def _shop(row: int, over: Event, latencies: list[float]) -> None:
    while not over.is_set():
        started = time.perf_counter()
        try:
            allo(row, new_holder(), "")
        except Exception:
            latencies.append(2.0)
        else:
            latencies.append(time.perf_counter() - started)
        over.wait(0.01)
    connection.close()

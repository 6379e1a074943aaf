"""The time of a reservation, and of pages, after millions of earlier reservations."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from django.contrib.auth.models import User
from django.db import connection
from django.test import Client, override_settings
from django.utils import timezone

from allo.recovery.taking import take
from reservations.clock.audit import audit_stock
from reservations.engine.commands import Holder
from reservations.services import reserve_in
from tests.benchmarks.contenders import allo
from tests.benchmarks.load import measure

OLD = int(os.environ.get("BENCH_OLD", "10000000"))
FEW, PAGE_LOADS = 1000, 40

FILL = """
INSERT INTO reservations_reservation (id, inventory_id, quantity, unit_paise, name, status, holder,
    address, created_at, expires_at, ended_at, renewals)
SELECT gen_random_uuid(), i.id, 1, 100, 'Old', 'expired', 'session:' || n, '',
    at, at + interval '10 minutes', at + interval '10 minutes', 0
FROM generate_series(1, %(old)s) n
CROSS JOIN LATERAL (
    SELECT now() - interval '1 day' - n * (interval '90 days' / %(old)s) AS at
) AS spread
JOIN (SELECT id, row_number() OVER (ORDER BY id) AS place FROM inventory_inventory) i
    ON i.place = n %% 200 + 1
"""


def report(rows: Sequence[int]) -> Iterator[str]:
    with override_settings(SHARED_PAGES=False, ALLOWED_HOSTS=["*"]):
        yield from _report(rows)


def _report(rows: Sequence[int]) -> Iterator[str]:
    # So that lists have as much to show before as after.
    _fill(FEW)
    shopper, staff = _visitors(rows[0])
    pages = _pages(rows[0])
    books_before = _books()
    before = measure(allo, rows, processes=1, callers=1, keys=False)
    pages_before = {name: _ms(staff if "admin" in at else shopper, at) for name, at in pages}
    _fill(OLD)
    # Warm up first: the first calls read the index into memory.
    measure(allo, rows, processes=1, callers=1, keys=False)
    after = measure(allo, rows, processes=1, callers=1, keys=False)
    yield (
        f"A lone caller's `reserve`, p50: {before.p50_ms:.2f} ms as the run began, "
        f"{after.p50_ms:.2f} ms with {OLD:,} old reservations "
        f"({(after.p50_ms / before.p50_ms - 1) * 100:+.0f} %).\n"
    )
    yield f"Pages, each rendered alone, the median of {PAGE_LOADS}, in ms.\n"
    yield f"| | {FEW:,} old ones | {OLD:,} | ÷ |\n|---|---|---|---|"
    for name, at in pages:
        ms, was = _ms(staff if "admin" in at else shopper, at), pages_before[name]
        yield f"| {name} | {was:.1f} | {ms:.1f} | {ms / was:.2f} |"
    yield f"\nBooks and backup, in seconds.\n\n| | {FEW:,} old ones | {OLD:,} |\n|---|---|---|"
    for what, took in _books().items():
        yield f"| {what} | {books_before[what]} | {took} |"


def _books() -> dict[str, str]:
    """All history, what came since yesterday, and a backup that is read back."""
    day = timezone.now() - timedelta(days=1)
    with TemporaryDirectory() as folder, override_settings(MEDIA_ROOT=f"{folder}/media"):
        file = Path(folder) / "backup.zip"
        found = {
            "whole audit of stock": _seconds(lambda: _clean(None)),
            "audit of stock since the day before": _seconds(lambda: _clean(day)),
            "backup": _seconds(lambda: take(file)),
        }
        found["backup"] += f", {file.stat().st_size / 1e6:,.0f} MB"
    return found


def _clean(since: datetime | None) -> None:
    assert audit_stock(since) == []


def _seconds(run: Callable[[], object]) -> str:
    started = time.perf_counter()
    run()
    return f"{time.perf_counter() - started:.1f}"


def _fill(old: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("SET transaction_timeout = 0")
        cursor.execute(FILL, {"old": old})
        cursor.execute("VACUUM ANALYZE reservations_reservation")


def _visitors(row: int) -> tuple[Client, Client]:
    """A shopper with an account and a hold, and staff."""
    shopper, staff = Client(), Client()
    account = User.objects.create_user("shopper", "asha@example.org")
    shopper.force_login(account)
    reserve_in(rows=(row,), quantity=1, holder=Holder(f"user:{account.pk}"))
    root = User.objects.create_superuser("root")
    staff.force_login(root)
    return shopper, staff


def _pages(row: int) -> list[tuple[str, str]]:
    console = "/admin/reservations/reservation/"
    return [
        ("first page of the grid", "/"),
        ("product", "/p/p-0/"),
        ("form to reserve", "/p/p-0/reserve/"),
        ("reservations", "/reservations/"),
        ("product for programs", "/api/products/p-0"),
        ("staff's front page", "/admin/"),
        ("reservations for staff", console),
        ("those that expired", f"{console}?state=expired"),
        ("one by how its id begins", f"{console}?q=12345678"),
        ("a row of stock", f"/admin/inventory/inventory/{row}/change/"),
        ("stock", "/admin/inventory/inventory/"),
    ]


def _ms(client: Client, address: str) -> float:
    found = []
    for _ in range(PAGE_LOADS):
        started = time.perf_counter()
        page: Any = client.get(address)
        found.append(time.perf_counter() - started)
        assert page.status_code == 200, (address, page.status_code)
    return median(found) * 1000

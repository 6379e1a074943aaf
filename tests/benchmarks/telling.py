"""Thousands of open pages on one product while it sells, or opens, beside the same pages on
another."""

import time
from bisect import bisect_left
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import count

from django.db import connection
from django.utils import timezone

from allo.live.message import EPOCH, MICROSECOND, micros
from catalog.events import product_topic
from catalog.models import Product
from inventory.models import Inventory
from reservations.models import Reservation
from tests.benchmarks.contenders import allo, new_holder
from tests.benchmarks.live import (
    LISTENING_ON_SECONDS,
    WANTED,
    Heard,
    browse,
    listening,
    server,
)
from tests.benchmarks.load import Measured

A_SECOND, SECONDS, SELLERS = 300, 8.0, 8
# Those who see an opening come; how often each reads its page anew, as in live.js.
PAGES, POLLS_SECONDS = 1000, 600
EARLY_SECONDS = 4.0


def report(rows: list[int]) -> Iterator[str]:
    sold, other = Inventory.objects.filter(pk__in=rows[:2]).order_by("pk")
    yield (
        f"\nOne product sells {A_SECOND} units a second for {SECONDS:.0f} s, each in a reservation"
        " of its own, while one browser looks at pages. A page would make a request for each"
        " message without numbers.\n"
    )
    yield (
        "| open pages on | sold a second | `reserve`: p50 / p99, ms | a page: p50 / p99, ms"
        " | the last page hears it: p50 / p99, ms | requests of open pages |\n"
        "|---|---|---|---|---|---|"
    )
    with server("allo.gunicorn", "PORT", "/livez") as (_, web):
        for name, product in (("another", other.product_id), ("it", sold.product_id)):
            yield _measure(name, product, sold.pk, web)


def _measure(name: str, product: int, row: int, web: int) -> str:
    with (
        server("allo.gunicorn_live", "LIVE_PORT", "/live/health") as (_, port),
        listening(port, *WANTED, product_topic(product)) as (opened, stop),
        ThreadPoolExecutor(1) as beside,
    ):
        looking = beside.submit(browse, web, seconds=SECONDS)
        reserve = _sell(row)
        page, _ = looking.result()
        time.sleep(LISTENING_ON_SECONDS)
        heard = stop()
    return (
        f"| {name}: {opened:,} | {reserve.per_second:,.0f} | {_cell(reserve)} | {_cell(page)}"
        f" | {_last(heard, opened, row)} | {len(heard.pop(0, []))} |"
    )


def opening(rows: list[int]) -> Iterator[str]:
    sold, other = Inventory.objects.filter(pk__in=rows[2:4]).order_by("pk")
    yield (
        f"\n{PAGES:,} pages are open when a product opens, of which {A_SECOND} units a second are"
        f" reserved from that moment for {SECONDS:.0f} s. A page's clock turns it, and it makes a"
        " request for each message without numbers; it reads itself anew every"
        f" {POLLS_SECONDS // 60} minutes in any case.\n"
    )
    yield (
        "| open pages on | their requests a second: before, after | `reserve`: p50 / p99, ms"
        " | a page: p50 / p99, ms | the last page hears it: p50 / p99, ms |\n|---|---|---|---|---|"
    )
    with server("allo.gunicorn", "PORT", "/livez") as (_, web):
        for name, product in (("another", other.product_id), ("it", sold.product_id)):
            yield _cross(name, product, sold, web)


def _cross(name: str, product: int, row: Inventory, web: int) -> str:
    with (
        server("allo.gunicorn_live", "LIVE_PORT", "/live/health") as (_, port),
        listening(port, PAGES, product_topic(product)) as (opened, stop),
        ThreadPoolExecutor(2) as beside,
    ):
        opens_at = timezone.now() + timedelta(seconds=EARLY_SECONDS)
        Product.objects.filter(pk=row.product_id).update(opens_at=opens_at)
        all_seconds = EARLY_SECONDS + SECONDS
        polling = beside.submit(browse, web, seconds=all_seconds, pause=POLLS_SECONDS / opened)
        time.sleep(EARLY_SECONDS)
        looking = beside.submit(browse, web, seconds=SECONDS)
        reserve = _sell(row.pk)
        page, _ = looking.result()
        polls, _ = polling.result()
        time.sleep(LISTENING_ON_SECONDS)
        heard = stop()
    Product.objects.filter(pk=row.product_id).update(opens_at=None)
    asked = heard.pop(0, [])
    early = sum(at < opens_at.timestamp() for at in asked)
    after = (len(asked) - early) / SECONDS + polls.per_second
    return (
        f"| {name}: {opened:,} | {early / EARLY_SECONDS + polls.per_second:.1f}, {after:.1f}"
        f" | {_cell(reserve)} | {_cell(page)} | {_last(heard, opened, row.pk)} |"
    )


def _sell(row: int) -> Measured:
    turns = count()
    begin = time.perf_counter()

    def seller() -> list[float]:
        latencies = []
        while (due := begin + next(turns) / A_SECOND) < begin + SECONDS:
            time.sleep(max(0.0, due - time.perf_counter()))
            asked = time.perf_counter()
            allo(row, new_holder(), "")
            latencies.append(time.perf_counter() - asked)
        connection.close()
        return latencies

    with ThreadPoolExecutor(SELLERS) as sellers:
        running = [sellers.submit(seller) for _ in range(SELLERS)]
        latencies = [one for seller in running for one in seller.result()]
    return Measured.of(latencies, time.perf_counter() - begin)


def _last(heard: Heard, opened: int, row: int) -> str:
    """From each reservation until the last page has heard a message that counts it."""
    told = sorted((at, max(moments)) for at, moments in heard.items() if at)
    if not told:
        return "–"
    times = [at for at, _ in told]
    sold = Reservation.objects.filter(inventory=row, created_at__gt=EPOCH + times[0] * MICROSECOND)
    made = [micros(at) for at in sold.values_list("created_at", flat=True)]
    delays = [
        told[place][1] - at / 1e6 for at in made if (place := bisect_left(times, at)) < len(told)
    ]
    missed = sum(len(moments) < opened for at, moments in heard.items() if at)
    return _cell(Measured.of(delays, 1)) + (f", {missed} not by all" if missed else "")


def _cell(measured: Measured) -> str:
    return f"{measured.p50_ms:,.0f} / {measured.p99_ms:,.0f}"

"""Thousands of open pages on one product while it sells, beside the same pages on another."""

import time
from bisect import bisect_left
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count

from django.db import connection

from allo.live.message import EPOCH, MICROSECOND, micros
from catalog.events import product_topic
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

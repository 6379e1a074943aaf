"""A primary killed under load, and its standby promoted in its place."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from math import inf
from pathlib import Path
from signal import SIGCONT, SIGSTOP
from typing import Any
from urllib.request import urlopen

from django.db import connection

from reservations.clock.audit import audit_stock
from reservations.models import Reservation
from tests.benchmarks.http import running as web
from tests.scale import load
from tests.scale.load import Load
from tests.scale.servers import Server, shopping_at, world
from tests.stock import stocked

PRODUCTS, UNITS = 8, 1_000_000
# For the report: 201 before a death and after it, and how often.
SUCCESSES, ROUNDS = 500, 2
# The shop's limits are for shoppers; all callers here have one address.
UNLIMITED = {
    "RESERVATION_MAX_SHARE": "0",
    "RESERVATION_AROUND_FACTORS": "0,0",
    "RESERVATION_COOL_DOWN_MINUTES": "off",
    "RESERVATION_UNPAID_PER_HALVING": "0",
}


@dataclass(frozen=True)
class Promotion:
    """`seconds` are the longest that no 201 came after the death of the primary."""

    acknowledged: int
    broken: list[str]
    # The same in a copy that no commit waited for, as it was made before the load.
    broken_in_old_copy: list[str]
    seconds: float
    per_second: float
    answers: dict[str, int]
    findings: list[Any]


@contextmanager
def shop_on(url: str, **settings: str) -> Iterator[int]:
    """The port of a web server that works with the database at this address, as this process does
    meanwhile."""
    with shopping_at(url), web("Allo", DATABASE_URL=url, **UNLIMITED, **settings) as (address, _):
        yield int(address.rpartition(":")[2])


def products() -> list[str]:
    return [stocked(UNITS, product=f"p-{n}").product.slug for n in range(PRODUCTS)]


@dataclass
class Standing:
    """A shop on a primary, and a standby that follows it."""

    primary: Server
    standby: Server
    port: int
    slugs: list[str]


@contextmanager
def standing(folder: Path, **settings: str) -> Iterator[Standing]:
    with world(folder) as here:
        first = here.primary()
        second = first.standby("second")
        with shop_on(here.url(first, second), **settings) as port:
            yield Standing(first, second, port, products())


def promotion(shop: Standing, successes: int) -> Promotion:
    """So many 201 come before the death, and as many after it."""
    first, second = shop.primary, shop.standby
    old = first.backup("old")
    first.wait_for_standby("second")
    with load.running([shop.port], shop.slugs) as callers:
        callers.await_successes(successes)
        died = time.monotonic()
        first.kill()
        second.promote()
        callers.await_successes(successes, since=died)
    shop.primary = second
    return _seen(callers, died, old)


def _seen(callers: Load, died: float, old: Server) -> Promotion:
    # This process is still connected to the server that died.
    connection.close()
    kept = [*callers.broken_promises(), *callers.not_replayed()]
    findings = audit_stock()
    old.start().promote()
    with shopping_at(old.world.url(old)):
        control = callers.broken_promises()
    return Promotion(
        acknowledged=len(callers.held),
        broken=kept,
        broken_in_old_copy=control,
        seconds=callers.longest_pause(died),
        per_second=callers.per_second(),
        answers=dict(callers.answers),
        findings=findings,
    )


def report(folder: Path) -> Iterator[str]:
    yield (
        "Callers hold and give back over HTTP while all processes of the primary are killed and the"
        " standby, which commits waited for, is promoted at once.\n"
    )
    yield "| 201 a second | acknowledged | lost | lost in an old copy | seconds without 201 |"
    yield "|---" * 5 + "|"
    for number in range(ROUNDS):
        with standing(folder / f"{number}") as shop:
            saw = promotion(shop, SUCCESSES)
        yield (
            f"| {saw.per_second:,.0f} | {saw.acknowledged:,} | {len(saw.broken)}"
            f" | {len(saw.broken_in_old_copy):,} | {saw.seconds:.1f} |"
        )
        assert saw.findings == []


@dataclass(frozen=True)
class Silence:
    """What callers got while the primary acknowledged nothing."""

    refused: int
    # Seconds that the slowest of them waited.
    longest: float
    # Of those who were refused: whose call was carried out all the same.
    unknown: int
    broken: list[str]
    # Calls of one key that hold twice, or not at all after a retry.
    wrong: int
    page: float
    # What `/readyz` says meanwhile.
    ready: dict[str, Any]


# Lasts as long as its block; yields whether pages go on meanwhile.
Fault = Callable[[Standing], AbstractContextManager[bool]]


def silence(shop: Standing, fault: Fault, successes: int, refusals: int) -> Silence:
    """The fault begins under load, and ends once so many callers were refused."""
    before = Reservation.objects.count()
    with load.running([shop.port], shop.slugs) as callers:
        callers.await_successes(successes)
        with fault(shop) as pages_go_on:
            begun = time.monotonic()
            callers.await_refusals(refusals, since=begun)
            page = page_seconds(shop.port) if pages_go_on else inf
            ready = readiness(shop.port) if pages_go_on else {}
        callers.await_successes(successes, since=time.monotonic())
    connection.close()
    unknown, retried = callers.retry_refused()
    held = Reservation.objects.count() - before
    return Silence(
        refused=callers.answers["503"],
        longest=max(end - start for start, end in callers.refusals if end > begun),
        unknown=unknown,
        broken=[*callers.broken_promises(), *callers.not_replayed()],
        wrong=held - len(callers.held) - retried,
        page=page,
        ready=ready,
    )


@contextmanager
def without_standby(shop: Standing) -> Iterator[bool]:
    """Commits wait for one that is not there."""
    shop.primary.set_synchronous("nobody")
    yield True
    shop.primary.set_synchronous("")


@contextmanager
def frozen(shop: Standing) -> Iterator[bool]:
    """All of its processes are stopped: it takes connections, and says nothing."""
    shop.primary.signal(SIGSTOP)
    yield False
    shop.primary.signal(SIGCONT)


FAULTS: dict[str, Fault] = {
    "its only standby is away": without_standby,
    "it is frozen": frozen,
}


def silences(folder: Path) -> Iterator[str]:
    yield (
        "The primary acknowledges nothing until 200 callers were refused. `ANSWER_TIMEOUT_MS` has"
        " its default. “Unknown” are calls that were refused and carried out all the same; their"
        " retry got what they hold.\n"
    )
    with standing(folder) as shop:
        yield from silence_table(shop)


def silence_table(shop: Standing) -> Iterator[str]:
    yield (
        "| what happens to the primary | 503 | slowest 503, s | acknowledged and lost | unknown"
        " | held twice | a product's page, s |"
    )
    yield "|---" * 7 + "|"
    for what, fault in FAULTS.items():
        saw = silence(shop, fault, SUCCESSES, 200)
        page = f"{saw.page:.2f}" if saw.page < inf else "503"
        yield (
            f"| {what} | {saw.refused:,} | {saw.longest:.1f} | {len(saw.broken)}"
            f" | {saw.unknown} | {saw.wrong} | {page} |"
        )
    assert audit_stock() == []


def page_seconds(port: int) -> float:
    begun = time.monotonic()
    with urlopen(f"http://127.0.0.1:{port}/api/products/p-0", timeout=60) as answer:
        answer.read()
    return time.monotonic() - begun


def readiness(port: int) -> dict[str, Any]:
    with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=60) as answer:
        found: dict[str, Any] = json.load(answer)
        return found

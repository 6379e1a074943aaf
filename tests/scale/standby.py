"""A primary killed under load, and its standby promoted in its place."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from django.db import connection

from reservations.clock.audit import audit_stock
from tests.benchmarks.http import running as web
from tests.scale import load
from tests.scale.load import Load
from tests.scale.servers import Server, shopping_at, world
from tests.stock import stocked

PRODUCTS, UNITS = 8, 1_000_000
# For the report: 201 before a death and after it, and how often.
SUCCESSES, ROUNDS = 500, 2
FROZEN_SECONDS = 20
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
def shop_on(url: str) -> Iterator[int]:
    """The port of a web server that works with the database at this address, as this process does
    meanwhile."""
    with shopping_at(url), web("Allo", DATABASE_URL=url, **UNLIMITED) as (address, _):
        yield int(address.rpartition(":")[2])


def products() -> list[str]:
    return [stocked(UNITS, product=f"p-{n}").product.slug for n in range(PRODUCTS)]


def promotion(folder: Path, successes: int) -> Promotion:
    """So many 201 come before the death, and as many after it."""
    with world(folder) as here:
        first = here.primary()
        second = first.standby("second")
        with shop_on(here.url(first, second)) as port:
            slugs = products()
            old = first.backup("old")
            first.wait_for_standby("second")
            with load.running([port], slugs) as callers:
                callers.await_successes(successes)
                died = time.monotonic()
                first.kill()
                second.promote()
                callers.await_successes(successes, since=died)
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
        saw = promotion(folder / f"{number}", SUCCESSES)
        yield (
            f"| {saw.per_second:,.0f} | {saw.acknowledged:,} | {len(saw.broken)}"
            f" | {len(saw.broken_in_old_copy):,} | {saw.seconds:.1f} |"
        )
        assert saw.findings == []


def frozen(folder: Path) -> Iterator[str]:
    """What callers get while the only standby is frozen."""
    with world(folder) as here:
        first = here.primary()
        second = first.standby("second")
        first.wait_for_standby("second")
        with shop_on(here.url(first, second)) as port, load.running([port], products()) as callers:
            callers.await_successes(SUCCESSES)
            second.freeze_receiver()
            begun = time.monotonic()
            before = Counter(callers.answers)
            callers.over.wait(FROZEN_SECONDS)
            answers = Counter(callers.answers) - before
            late = sum(start > begun for start, _ in [*callers.successes])
            pages = page_seconds(port)
            second.thaw_receiver()
            callers.await_successes(SUCCESSES, since=time.monotonic())
    yield (
        f"While the only standby was frozen for {FROZEN_SECONDS} s, {late} calls got 201,"
        f" {answers['503']:,} got 503; a product's page took {pages:.2f} s. Thawed, all went on."
    )


def page_seconds(port: int) -> float:
    begun = time.monotonic()
    with urlopen(f"http://127.0.0.1:{port}/api/products/p-0", timeout=60) as answer:
        answer.read()
    return time.monotonic() - begun

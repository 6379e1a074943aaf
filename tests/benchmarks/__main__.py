"""`make bench`: Allo beside a plain transaction and a stored function, in one run, as tables.

`ARGS` may name sections by their titles, or the first words of these; then `RESULTS.md` stays.
"""

import os
import platform
import sys
from collections.abc import Collection, Iterator
from itertools import chain, product
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.test import override_settings

from reservations.clock.audit import audit_stock
from tests.benchmarks import (
    clock,
    drop,
    fairness,
    history,
    http,
    journeys,
    live,
    money,
    outbox,
    pages,
    rooms,
    telling,
)
from tests.benchmarks.contenders import CONTENDERS, STORED_FUNCTION, allo
from tests.benchmarks.load import Measured, measure
from tests.migrations import migrate_unhurried
from tests.stock import stocked

RESULTS = Path(__file__).with_name("RESULTS.md")


def main() -> None:
    migrate_unhurried()
    with connection.cursor() as cursor:
        cursor.execute(STORED_FUNCTION)
    rows = [stocked(10_000_000, product=f"p-{n}").pk for n in range(200)]
    # As in a shop in use: plans made on empty tables would slow down all contenders.
    measure(allo, rows, processes=1, callers=16, keys=True)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    # For servers with the shop's own settings. Pages of this process name files as they are.
    call_command("collectstatic", interactive=False, verbosity=0)
    files = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    with override_settings(STORAGES={**settings.STORAGES, "staticfiles": files}):
        write(rows, sys.argv[1:])


def write(rows: list[int], wanted: Collection[str]) -> None:
    with (Path(os.devnull) if wanted else RESULTS).open("w") as results:
        for line in report(rows, wanted):
            print(line, flush=True)
            print(line, file=results)


def report(rows: list[int], wanted: Collection[str]) -> Iterator[str]:
    """All sections, or the wanted ones."""
    sections = {
        "Reservations per second": lambda: throughput(rows),
        "Fairness": fairness.report,
        "Live updates": lambda: chain(live.report(), telling.report(rows)),
        "Openings": lambda: telling.opening(rows),
        "Waiting rooms": rooms.report,
        "Drops": drop.report,
        "Pages": pages.report,
        "Whole journeys": journeys.report,
        "Outbox": lambda: outbox.report(rows),
        "Settlements": lambda: money.report(rows),
        "The API over HTTP": http.report,
        "The sweep": lambda: clock.report(rows[0]),
        "History": lambda: history.report(rows),
    }
    yield "# What `make bench` measured\n"
    yield from machine()
    for title, section in sections.items():
        if not wanted or title.split()[0] in wanted or title in wanted:
            yield f"\n## {title}\n"
            yield from section()
    findings = audit_stock()
    yield f"\nAfterwards `audit_stock` found {len(findings)} rows out of balance."


def machine() -> Iterator[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT version(), current_setting('synchronous_commit')")
        version, synchronous = cursor.fetchone()
        cursor.execute("SHOW fsync")
        (fsync,) = cursor.fetchone()
    yield (
        f"{os.cpu_count()} cores ({platform.machine()}), shared and noisy: only ratios within this "
        f"run mean anything. Python {platform.python_version()}, {version.split(' on ')[0]}, "
        f"fsync {fsync}, synchronous_commit {synchronous}. Callers, servers and database share the "
        "cores. Each cell: reservations per second, p50 / p99 in ms."
    )


def throughput(rows: list[int]) -> Iterator[str]:
    names = list(CONTENDERS)
    yield f"| rows | processes × callers | key | {' | '.join(names)} | ÷ plain | ÷ function |"
    yield "|---" * (5 + len(names)) + "|"
    cases = product((rows[:1], rows), ((1, 1), (2, 1), (2, 4), (2, 16)), (False, True))
    for among, (processes, callers), keys in cases:
        found = {
            name: measure(CONTENDERS[name], among, processes=processes, callers=callers, keys=keys)
            for name in names
        }
        yield " | ".join(
            [
                f"| {'one hot' if len(among) == 1 else len(among)}",
                f"{processes} × {callers}",
                "yes" if keys else "no",
                *(cell(measured) for measured in found.values()),
                ratio(found["Allo"], found["plain transaction"]),
                ratio(found["Allo"], found["stored function"]) + " |",
            ]
        )


def cell(measured: Measured) -> str:
    return f"{measured.per_second:,.0f}, {measured.p50_ms:.1f} / {measured.p99_ms:.1f}"


def ratio(one: Measured, other: Measured) -> str:
    return f"{one.per_second / other.per_second:.2f}"


if __name__ == "__main__":
    main()

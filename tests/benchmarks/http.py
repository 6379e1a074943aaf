"""POST /api/reservations over HTTP: gunicorn with 2 workers of 16 threads, 32 connections, compared
with a view that does nothing and with other engines behind the same view."""

import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from statistics import median

from django.db.models import F

from inventory.models import Inventory
from tests.benchmarks import wrk
from tests.benchmarks.wrk import Load
from tests.running import PROJECT, free_port, wait_for

# The total seconds of each, measured in turns: a shared machine may be half as fast a minute later.
SECONDS, ROUNDS = float(os.environ.get("BENCH_HTTP_SECONDS", "12")), 6
WARM_UP = 2
NOTHING = "no-op view"
NAMES = ("plain transaction", "stored function", "Allo")
WHERE = {"one hot product": 1, "200 products": 200}


def report() -> Iterator[str]:
    command = wrk.find()
    if command is None:
        yield "Not measured: wrk is not installed, and Debian's package could not be had."
        return
    with ExitStack() as servers:
        urls = {name: servers.enter_context(server(name)) for name in NAMES}
        calls = {NOTHING: f"{urls['Allo']}/bench/nothing"}
        calls |= {name: f"{url}/api/reservations" for name, url in urls.items()}
        found = {where: _measured(command, calls, number) for where, number in WHERE.items()}
    yield from _table(found)


def _measured(command: list[str], calls: dict[str, str], products: int) -> dict[str, list[Load]]:
    found: dict[str, list[Load]] = {name: [] for name in calls}
    for url in calls.values():
        wrk.run(command, url, products=products, seconds=WARM_UP)
    for _ in range(ROUNDS):
        for name, url in calls.items():
            load = wrk.run(command, url, products=products, seconds=SECONDS / ROUNDS)
            found[name].append(load)
    return found


def _table(found: dict[str, dict[str, list[Load]]]) -> Iterator[str]:
    yield (
        f"gunicorn, 2 workers × 16 threads; wrk, {wrk.CONNECTIONS} connections. Each the median of"
        f" {ROUNDS} rounds, in which all had their turn.\n"
    )
    yield (
        "| | no-op view | plain transaction | stored function | Allo | ÷ no-op | ÷ function"
        " | p99 of plain ÷ p99 of Allo |"
    )
    yield "|---" * 8 + "|"
    for where, loads in found.items():
        medians = {name: _median(of) for name, of in loads.items()}
        cells = [f"{rate:,.0f}, {p50:.1f} / {p99:.1f}" for rate, p50, p99 in medians.values()]
        allo, function = medians["Allo"], medians["stored function"]
        ratios = [
            allo[0] / medians[NOTHING][0],
            allo[0] / function[0],
            medians["plain transaction"][2] / allo[2],
        ]
        yield f"| {where} | {' | '.join(cells)} | {' | '.join(f'{r:.2f}' for r in ratios)} |"
    oversold = Inventory.objects.filter(reserved_units__gt=F("total_units")).count()
    others = sum(load.others for loads in found.values() for of in loads.values() for load in of)
    yield f"\nOversold rows: {oversold}. Answers other than 201, 409, 503: {others}."


def _median(loads: list[Load]) -> tuple[float, float, float]:
    """Reservations per second, p50 and p99 in ms."""
    return (
        median(load.per_second for load in loads),
        median(load.p50 for load in loads),
        median(load.p99 for load in loads),
    )


@contextmanager
def server(contender: str, **environment: str) -> Iterator[str]:
    """The address of a running web server; "bare" is `tests.benchmarks.bare` and no shop."""
    with running(contender, **environment) as (url, _):
        yield url


@contextmanager
def running(contender: str, **environment: str) -> Iterator[tuple[str, int]]:
    """The same, with its process."""
    port = int(environment.get("PORT") or free_port())
    application = ["tests.benchmarks.bare:application"] if contender == "bare" else []
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "--config=python:allo.gunicorn", *application],
        cwd=PROJECT,
        env={
            **os.environ, "PORT": str(port), "BENCH_CONTENDER": contender, "WEB_CONCURRENCY": "2",
            "WEB_THREADS": "16", "DJANGO_SETTINGS_MODULE": "tests.benchmarks.settings",
            "LOG_LEVEL": "ERROR", **environment,
        },
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        with suppress(OSError), urllib.request.urlopen(f"{url}/livez", timeout=2):  # noqa: S310
            return True
        return False

    try:
        wait_for(answers, seconds=30)
        yield url, process.pid
    finally:
        process.terminate()
        process.wait(30)

"""POST /api/reservations as clients feel it: gunicorn with 2 workers of 16 threads, 32 connections,
next to a view that does nothing and to other engines behind the same view."""

import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from django.db.models import F

from inventory.models import Inventory
from tests.benchmarks import wrk
from tests.benchmarks.wrk import Load
from tests.running import PROJECT, free_port, wait_for

SECONDS = float(os.environ.get("BENCH_HTTP_SECONDS", "8"))
WARM_UP = 2
NAMES = ("plain transaction", "stored function", "Allo")
WHERE = {"one hot product": 1, "200 products": 200}


def report() -> Iterator[str]:
    command = wrk.find()
    if command is None:
        yield "Not measured: wrk is not installed, and Debian's package could not be had."
        return
    found: dict[tuple[str, str], Load] = {}
    for name in NAMES:
        with _server(name) as url:
            for where, products in WHERE.items():
                found[name, where] = _measured(command, f"{url}/api/reservations", products)
                if name == "Allo":
                    found["nothing", where] = _measured(command, f"{url}/bench/nothing", products)
    yield from _table(found)


def _measured(command: list[str], url: str, products: int) -> Load:
    wrk.run(command, url, products=products, seconds=WARM_UP)
    return wrk.run(command, url, products=products, seconds=SECONDS)


def _table(found: dict[tuple[str, str], Load]) -> Iterator[str]:
    yield f"gunicorn, 2 workers × 16 threads; wrk, {wrk.CONNECTIONS} connections.\n"
    yield (
        "| | no-op view | plain transaction | stored function | Allo | ÷ no-op | ÷ function"
        " | p99 of plain ÷ p99 of Allo |"
    )
    yield "|---" * 8 + "|"
    for where in WHERE:
        nothing, plain, function, allo = (found[name, where] for name in ("nothing", *NAMES))
        cells = [_cell(load) for load in (nothing, plain, function, allo)]
        ratios = [
            allo.per_second / nothing.per_second,
            allo.per_second / function.per_second,
            plain.p99 / allo.p99,
        ]
        yield f"| {where} | {' | '.join(cells)} | {' | '.join(f'{r:.2f}' for r in ratios)} |"
    oversold = Inventory.objects.filter(reserved_units__gt=F("total_units")).count()
    others = sum(load.others for load in found.values())
    yield f"\nOversold rows: {oversold}. Answers other than 201, 409, 503: {others}."


def _cell(load: Load) -> str:
    return f"{load.per_second:,.0f}, {load.p50:.1f} / {load.p99:.1f}"


@contextmanager
def _server(contender: str) -> Iterator[str]:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "--config=python:allo.gunicorn"],
        cwd=PROJECT,
        env={
            **os.environ, "PORT": str(port), "BENCH_CONTENDER": contender, "WEB_CONCURRENCY": "2",
            "WEB_THREADS": "16", "DJANGO_SETTINGS_MODULE": "tests.benchmarks.settings",
            "LOG_LEVEL": "ERROR",
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
        yield url
    finally:
        process.terminate()
        process.wait(30)

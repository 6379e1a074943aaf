"""Pages over HTTP, 32 connections without cookies: the product page and the first page of the grid,
shared and rendered for each request, compared with a view that does nothing and with a bare WSGI
application that sends as many bytes."""

import gzip
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from statistics import median

from tests.benchmarks import wrk
from tests.benchmarks.http import server
from tests.benchmarks.wrk import Load

SECONDS, ROUNDS = 3, 5
PAGES = {"product page": "/p/p-0/", "first page of the grid": "/"}


def report() -> Iterator[str]:
    command = wrk.find()
    if command is None:
        yield "Not measured: wrk is not installed, and Debian's package could not be had."
        return
    yield (
        "gunicorn, 2 workers × 16 threads; wrk, 32 connections, gzip. Each the median of"
        f" {ROUNDS} alternating rounds: pages per second, p50 / p99 in ms.\n"
    )
    yield "| | shared | rendered each time | no-op view | bare WSGI | ÷ no-op | ÷ bare |"
    yield "|---" * 7 + "|"
    for name, path in PAGES.items():
        yield _row(command, name, path)


def _row(command: list[str], name: str, path: str) -> str:
    with ExitStack() as servers:
        shared = servers.enter_context(server("Allo"))
        alone = servers.enter_context(server("Allo", SHARED_PAGES="off"))
        size = _bytes_of(f"{shared}{path}")
        bare = servers.enter_context(server("bare", BENCH_BYTES=str(size)))
        urls = [f"{shared}{path}", f"{alone}{path}", f"{shared}/bench/nothing", bare]
        loads = _measured(command, urls)
    rates = [median(load.per_second for load in of) for of in loads]
    cells = [
        f"{rate:,.0f}, {median(o.p50 for o in of):.1f} / {median(o.p99 for o in of):.1f}"
        for rate, of in zip(rates, loads, strict=True)
    ]
    ratios = [f"{rates[0] / rates[place]:.2f}" for place in (2, 3)]
    return f"| {name} ({size / 1000:.1f} kB) | {' | '.join([*cells, *ratios])} |"


def _measured(command: list[str], urls: list[str]) -> list[list[Load]]:
    found: list[list[Load]] = [[] for _ in urls]
    for _ in range(ROUNDS):
        for of, url in zip(found, urls, strict=True):
            of.append(wrk.run(command, url, products=0, seconds=SECONDS))
    return found


def _bytes_of(url: str) -> int:
    request = urllib.request.Request(url, headers={"Accept-Encoding": "gzip"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310
        body: bytes = response.read()
    assert gzip.decompress(body)
    return len(body)

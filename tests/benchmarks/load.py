"""Callers in threads of several processes that start together; each call is measured."""

import multiprocessing
import random
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Barrier, Thread

from django.db import connection

from tests.benchmarks.contenders import Contender, new_holder

SECONDS = 2.5
WARM_UP = 0.4


@dataclass(frozen=True)
class Measured:
    per_second: float
    p50_ms: float
    p99_ms: float

    @classmethod
    def of(cls, latencies: Sequence[float], seconds: float) -> "Measured":
        ordered = sorted(latencies)
        at = lambda share: ordered[int(len(ordered) * share)] * 1000 if ordered else float("nan")  # noqa: E731
        return cls(len(ordered) / seconds, at(0.5), at(0.99))


def measure(
    call: Contender, rows: Sequence[int], *, processes: int, callers: int, keys: bool
) -> Measured:
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(processes)
    results = context.Queue()
    workers = [
        context.Process(target=_process, args=(call, rows, callers, keys, start, results))
        for _ in range(processes)
    ]
    for worker in workers:
        worker.start()
    latencies = [latency for _ in workers for latency in results.get(timeout=120)]
    for worker in workers:
        worker.join()
    return Measured.of(latencies, SECONDS)


def _process(call, rows, callers, keys, start, results) -> None:  # noqa: PLR0917
    latencies: list[float] = []
    together = Barrier(callers + 1)
    threads = [
        Thread(target=_caller, args=(call, rows, keys, together, latencies)) for _ in range(callers)
    ]
    for thread in threads:
        thread.start()
    start.wait(60)
    together.wait(60)
    for thread in threads:
        thread.join()
    results.put(latencies)


def _caller(call, rows, keys, together, latencies) -> None:
    connection.ensure_connection()
    together.wait(60)
    begin = time.perf_counter() + WARM_UP
    end = begin + SECONDS
    mine = []
    while (now := time.perf_counter()) < end:
        key = str(uuid.uuid4()) if keys else ""
        call(random.choice(rows), new_holder(), key)
        if now >= begin:
            mine.append(time.perf_counter() - now)
    latencies += mine
    connection.close()

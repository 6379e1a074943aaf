"""How hard this web process works: the share of its threads that are busy, and how long reserving
takes."""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from math import ceil
from threading import Lock, Thread
from typing import Any, NamedTuple

from django.conf import settings

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Taken(NamedTuple):
    """Since the last look: 95 of 100 took at most `p95_ms` (0 if nobody reserved), and this share
    of the threads was busy, on average."""

    p95_ms: float
    busy_share: float


class Pressure:
    """What one process measures; a forked child begins anew."""

    def __init__(self) -> None:
        self._reset()
        os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self._turn = Lock()
        self._took: list[float] = []
        self._under_way = 0
        self._busy_seconds = 0.0
        self._counted_at = self._looked_at = time.monotonic()
        self._beside: Thread | None = None

    def counting(self, application: Application, beside: Callable[[], None]) -> Application:
        """The application, with its requests counted while they are under way. From the first on,
        `beside` runs in a thread of its own."""

        def counted(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
            self._count(1)
            if self._beside is None:
                self._run(beside)
            try:
                return application(environ, start)
            finally:
                self._count(-1)

        return counted

    @contextmanager
    def timing(self) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            with self._turn:
                self._took.append(time.monotonic() - began)

    def look(self) -> Taken:
        self._count(0)
        with self._turn:
            took, self._took = sorted(self._took), []
            busy, self._busy_seconds = self._busy_seconds, 0.0
            elapsed = self._counted_at - self._looked_at
            self._looked_at = self._counted_at
        p95 = took[ceil(0.95 * len(took)) - 1] if took else 0.0
        return Taken(p95 * 1000, busy / (elapsed * settings.WEB_THREADS) if elapsed else 0.0)

    def _run(self, beside: Callable[[], None]) -> None:
        with self._turn:
            if self._beside is None:
                self._beside = Thread(target=beside, name="allo.beside", daemon=True)
                self._beside.start()

    def _count(self, more: int) -> None:
        with self._turn:
            now = time.monotonic()
            self._busy_seconds += self._under_way * (now - self._counted_at)
            self._counted_at = now
            self._under_way += more


pressure = Pressure()

"""Counters in Redis, such as of refusals, that nobody waits for: a thread of its own adds to them
once a second. What a process counts in its last second is lost if it is killed."""

import atexit
import logging
import os
import time
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from threading import Event, Lock, Thread

from redis import RedisError

from allo.redis_client import redis_client

logger = logging.getLogger(__name__)

PAUSE_SECONDS = 1.0
KEPT = timedelta(days=30)

# Of a tally's fields.
Counts = Counter[tuple[str, str]]


class Tallies:
    """What is not in Redis yet, and the one thread that brings it there; reset in a forked
    child."""

    def __init__(self) -> None:
        self._reset()
        os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self._counts: Counts = Counter()
        self._lock = Lock()
        self._something = Event()
        self._thread: Thread | None = None

    def add(self, counts: Mapping[tuple[str, str], int]) -> None:
        with self._lock:
            self._counts.update(counts)
            if self._thread is None:
                self._thread = Thread(target=self._run, name="allo.tallies", daemon=True)
                self._thread.start()
        self._something.set()

    def flush(self) -> None:
        """Never raises. Without Redis the counts stay, and are added later: there are only as many
        as there are fields."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
        try:
            _write(counts)
        except RedisError as error:
            logger.warning("not counted yet: %s", type(error).__name__)
            with self._lock:
                self._counts.update(counts)

    def _run(self) -> None:
        while True:
            self._something.wait()
            self._something.clear()
            self.flush()
            time.sleep(PAUSE_SECONDS)


def _write(counts: Counts) -> None:
    if not counts:
        return
    # A transaction: an answer that is lost must not leave a part of it to be counted twice.
    with redis_client().pipeline(transaction=True) as pipeline:
        for (name, field), number in counts.items():
            pipeline.hincrby(name, field, number)
        for name in {name for name, _ in counts}:
            pipeline.expire(name, KEPT)
        pipeline.execute()


def read(name: str) -> dict[str, int] | None:
    """The numbers of a tally by field; None if Redis does not answer."""
    try:
        found = redis_client().hgetall(name)
    except RedisError:
        return None
    return {field.decode(): int(number) for field, number in found.items()}  # type: ignore[union-attr]


_tallies = Tallies()
# A management command may exit right after its commit.
atexit.register(_tallies.flush)


def add(counts: Mapping[tuple[str, str], int]) -> None:
    """Adds to fields of tallies: `{(tally, field): number}`. It takes microseconds, whatever the
    state of Redis."""
    if counts:
        _tallies.add(counts)

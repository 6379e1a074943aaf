"""Publishes changed topics to Redis from a thread of its own, so that no sale waits for Redis."""

import atexit
import logging
import os
import time
from collections.abc import Iterable
from itertools import islice
from threading import Condition, Lock, Thread

from django.conf import settings

from allo.live import channel
from allo.redis_client import redis_client

logger = logging.getLogger(__name__)

# Equal topics within this time are sent once. The first is sent at once.
PAUSE_SECONDS = 0.05
# Without Redis topics are dropped: at most those of one pause are waiting.
MAX_WAITING = 10_000
TOPICS_PER_MESSAGE = 500
COMPLAIN_EVERY_SECONDS = 30.0


class Publisher:
    """A bounded set of topics and the one thread that sends them; reset in a forked child."""

    def __init__(self) -> None:
        self._complained_at = float("-inf")
        self._reset()
        os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self._waiting: set[str] = set()
        self._something = Condition()
        self._sending = Lock()
        self._thread: Thread | None = None

    def add(self, topics: Iterable[str]) -> None:
        with self._something:
            if len(self._waiting) < MAX_WAITING:
                self._waiting.update(topics)
            if self._thread is None:
                self._thread = Thread(target=self._run, name="allo.live", daemon=True)
                self._thread.start()
            self._something.notify()

    def flush(self) -> None:
        """Sends the waiting topics; never raises, and takes no longer than the timeout for
        Redis."""
        # At the end of the process a second caller waits until the first has finished.
        with self._sending:
            with self._something:
                topics, self._waiting = self._waiting, set()
            try:
                _send(topics)
            except Exception as error:  # any error: the thread has to go on
                self._complain(error)

    def _run(self) -> None:
        while True:
            with self._something:
                self._something.wait_for(lambda: self._waiting)
            self.flush()
            time.sleep(PAUSE_SECONDS)

    def _complain(self, error: Exception) -> None:
        if time.monotonic() - self._complained_at > COMPLAIN_EVERY_SECONDS:
            self._complained_at = time.monotonic()
            logger.warning("no live updates: %s", type(error).__name__)


def _send(topics: Iterable[str]) -> None:
    remaining = iter(topics)
    with redis_client().pipeline(transaction=False) as pipeline:
        while some := list(islice(remaining, TOPICS_PER_MESSAGE)):
            pipeline.publish(settings.LIVE_CHANNEL, channel.pack(some))
        pipeline.execute()


_publisher = Publisher()
# A management command may exit right after its commit.
atexit.register(_publisher.flush)


def publish(*topics: str) -> None:
    """Sends these topics to every open page that listens to them. Call it after the commit. It
    takes microseconds, whatever the state of Redis."""
    if topics:
        _publisher.add(topics)

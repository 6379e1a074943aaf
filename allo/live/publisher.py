"""Publishes messages to Redis from a thread of its own, so that no sale waits for Redis."""

import atexit
import logging
import os
import time
from collections.abc import Iterable
from itertools import islice
from threading import Condition, Lock, Thread

from django.conf import settings
from django.db import connections
from django.utils.module_loading import import_string

from allo.live import channel
from allo.live.message import EVERYTHING, Message, keep_newest
from allo.metrics import counters
from allo.redis_client import redis_client

logger = logging.getLogger(__name__)

# Of messages with one name within this time only the newest is sent. The first is sent at once.
PAUSE_SECONDS = 0.05
# Without Redis messages are dropped: at most those of one pause are waiting.
MAX_WAITING = 10_000
MESSAGES_AT_ONCE = 500
# What is added to messages is looked up once in this time, for all of them together. After messages
# were lost, the next try is no later, as there may be no other message for hours.
ADDING_SECONDS = 1.0
COMPLAIN_EVERY_SECONDS = 30.0

Waiting = dict[tuple[str, str], Message]


class Publisher:
    """A bounded set of messages and the one thread that sends them; reset in a forked child."""

    def __init__(self) -> None:
        self._complained_at = float("-inf")
        self._reset()
        os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self._waiting: Waiting = {}
        self._to_follow: Waiting = {}
        self._added_at = float("-inf")
        self._has_lost = False
        self._something = Condition()
        self._sending = Lock()
        self._thread: Thread | None = None

    def add(self, messages: Iterable[Message]) -> None:
        with self._something:
            if len(self._waiting) < MAX_WAITING:
                keep_newest(self._waiting, messages)
            else:
                self._has_lost = True
            if self._thread is None:
                self._thread = Thread(target=self._run, name="allo.live", daemon=True)
                self._thread.start()
            self._something.notify()

    def flush(self) -> None:
        """Sends the waiting messages; never raises, and takes no longer than the timeout for
        Redis."""
        # At the end of the process a second caller waits until the first has finished.
        with self._sending:
            with self._something:
                messages, self._waiting = self._waiting, {}
            self._send(messages.values())
            for name, message in messages.items():
                # What came later needs no addition, or another.
                self._to_follow.pop(name, None)
                if message.follow:
                    self._to_follow[name] = message

    def _run(self) -> None:
        while True:
            with self._something:
                self._something.wait_for(lambda: self._waiting, self._longest_wait())
            self.flush()
            if self._until_adding() == 0:
                self._add()
            time.sleep(PAUSE_SECONDS)

    def _longest_wait(self) -> float | None:
        adding = self._until_adding()
        return ADDING_SECONDS if adding is None and self._has_lost else adding

    def _until_adding(self) -> float | None:
        if not self._to_follow:
            return None
        return max(0.0, self._added_at + ADDING_SECONDS - time.monotonic())

    def _add(self) -> None:
        """Here, and not where the messages come from: it asks the database."""
        with self._sending:
            messages, self._to_follow = list(self._to_follow.values()), {}
        try:
            self._send(import_string(settings.LIVE_ADDITIONS)(messages))
        except Exception as error:  # any error: the thread has to go on
            self._complain(error)
        finally:
            self._added_at = time.monotonic()
            connections.close_all()

    def _send(self, messages: Iterable[Message]) -> None:
        """What was lost before is not known any more: after it every page requests all anew."""
        with self._something:
            has_lost, self._has_lost = self._has_lost, False
        again = [Message(EVERYTHING, time.time_ns() // 1000)] if has_lost else []
        try:
            _publish([*messages, *again])
        except Exception as error:  # any error: the thread has to go on
            self._has_lost = True
            self._complain(error)

    def _complain(self, error: Exception) -> None:
        counters.NOT_PUBLISHED.inc()
        if time.monotonic() - self._complained_at > COMPLAIN_EVERY_SECONDS:
            self._complained_at = time.monotonic()
            logger.warning("no live updates: %s", type(error).__name__)


def _publish(messages: Iterable[Message]) -> None:
    remaining = iter(messages)
    with redis_client().pipeline(transaction=False) as pipeline:
        while some := list(islice(remaining, MESSAGES_AT_ONCE)):
            pipeline.publish(settings.LIVE_CHANNEL, channel.pack(some))
        pipeline.execute()


_publisher = Publisher()
# A management command may exit right after its commit.
atexit.register(_publisher.flush)


def send(messages: list[Message]) -> None:
    """To every open page that listens. Call it after the commit. It takes microseconds, whatever
    the state of Redis."""
    if messages:
        _publisher.add(messages)


def publish(*topics: str, per_second: int | None = None) -> None:
    """Lets pages that listen to these topics request their parts anew. Call it after the commit.
    With `per_second`, so many pages of a live process do so in a second, and the last as late as
    that makes it: for what many pages hear often and each makes a request of its own for."""
    now = time.time_ns() // 1000
    send([Message(topic, now, numbers=str(per_second or "")) for topic in topics])

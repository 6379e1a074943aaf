"""A rate limit in fixed windows, kept in Redis; without Redis there is none.

A client may use up two windows' attempts around the border between them. Limits that must never be
exceeded are checked in the database instead.
"""

import logging
import time
from typing import Any, Protocol

from redis import RedisError
from redis.client import Pipeline

from allo.redis_client import redis_client

logger = logging.getLogger(__name__)

_SECONDS = {"s": 1, "m": 60, "h": 3600}


class Question(Protocol):
    """Something else to look up in Redis in the same trip: `ask` queues commands, `hear` gets their
    answers, which may be exceptions. Without Redis `hear` is not called."""

    def ask(self, pipeline: Pipeline) -> None: ...

    def hear(self, answers: list[Any]) -> None: ...


def seconds_to_wait(rate: str, scope: str, client: str, beside: Question | None = None) -> int:
    """Counts an attempt under a rate such as "30/m" or "off"; 0 if it may go on."""
    if rate == "off":
        _trip(None, 0, beside)
        return 0
    limit, _, unit = rate.partition("/")
    window = _SECONDS[unit]
    number, elapsed = divmod(int(time.time()), window)
    attempts = _trip(f"rate:{scope}:{client}:{number}", window, beside)
    return window - elapsed if attempts > int(limit) else 0


def _trip(name: str | None, seconds: int, beside: Question | None) -> int:
    """Counts under this name, if there is one; returns the count, 0 without Redis."""
    if name is None and beside is None:
        return 0
    try:
        with redis_client().pipeline() as pipeline:
            if name:
                pipeline.incr(name)
                pipeline.expire(name, seconds)
            if beside:
                beside.ask(pipeline)
            answers = pipeline.execute(raise_on_error=False)
    except RedisError as error:
        logger.warning("no rate limit, no waiting room: %s", type(error).__name__)
        return 0
    if beside:
        beside.hear(answers[2:] if name else answers)
    return answers[0] if name and isinstance(answers[0], int) else 0

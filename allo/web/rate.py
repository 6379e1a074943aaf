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
from allo.web.address import around_ipv6

logger = logging.getLogger(__name__)

_SECONDS = {"s": 1, "m": 60, "h": 3600}


class Question(Protocol):
    """Something else to look up in Redis in the same trip: `ask` queues commands, `hear` gets their
    answers, which may be exceptions. Without Redis `hear` is not called."""

    def ask(self, pipeline: Pipeline) -> None: ...

    def hear(self, answers: list[Any]) -> None: ...


def seconds_to_wait(rate: str, scope: str, client: str, beside: Question | None = None) -> int:
    """Counts an attempt under a rate such as "30/m" or "off"; 0 if it may go on. Networks around an
    IPv6 client have a multiple of the rate."""
    if rate == "off":
        _trip([], 0, beside)
        return 0
    limit, _, unit = rate.partition("/")
    window = _SECONDS[unit]
    number, elapsed = divmod(int(time.time()), window)
    limits = {client: int(limit)}
    limits |= {str(around): int(limit) * times for around, times in around_ipv6(client)}
    counts = _trip([f"rate:{scope}:{name}:{number}" for name in limits], window, beside)
    is_over = any(count > most for count, most in zip(counts, limits.values(), strict=True))
    return window - elapsed if is_over else 0


def _trip(names: list[str], seconds: int, beside: Question | None) -> list[int]:
    """Counts under these names; returns the counts, 0 without Redis."""
    if not names and beside is None:
        return []
    try:
        with redis_client().pipeline() as pipeline:
            for name in names:
                pipeline.incr(name)
                pipeline.expire(name, seconds)
            if beside:
                beside.ask(pipeline)
            answers = pipeline.execute(raise_on_error=False)
    except RedisError as error:
        logger.warning("no rate limit, no waiting room: %s", type(error).__name__)
        return [0] * len(names)
    of_names, others = answers[: 2 * len(names)], answers[2 * len(names) :]
    if beside:
        beside.hear(others)
    return [count if isinstance(count, int) else 0 for count in of_names[::2]]

"""A rate limit in fixed windows, kept in Redis; without Redis there is none.

A client may use up two windows' attempts around the border between them. Limits that must never be
exceeded are checked in the database instead.
"""

import logging
import time

from redis import RedisError

from allo.redis_client import redis_client

logger = logging.getLogger(__name__)

_SECONDS = {"s": 1, "m": 60, "h": 3600}


def seconds_to_wait(rate: str, scope: str, client: str) -> int:
    """Counts an attempt under a rate such as "30/m" or "off"; 0 if it may go on."""
    if rate == "off":
        return 0
    limit, _, unit = rate.partition("/")
    window = _SECONDS[unit]
    number, elapsed = divmod(int(time.time()), window)
    attempts = _count(f"rate:{scope}:{client}:{number}", window)
    return window - elapsed if attempts > int(limit) else 0


def _count(name: str, seconds: int) -> int:
    try:
        with redis_client().pipeline() as pipeline:
            pipeline.incr(name)
            pipeline.expire(name, seconds)
            return int(pipeline.execute()[0])
    except RedisError as error:
        logger.warning("no rate limit: %s", type(error).__name__)
        return 0

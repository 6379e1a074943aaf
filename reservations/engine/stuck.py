"""What this process knows to be locked for long, so that not every caller waits for it in full."""

import time
from collections.abc import Callable, Collection, Hashable
from typing import TypeVar

from django.conf import settings
from django.db import Error

from allo.postgresql.faults import is_locked
from reservations.engine.locks import Patience

Result = TypeVar("Result")

# Keys of lanes whose lock timed out, and until when (`time.monotonic`) that is remembered. Not
# locked: two lanes that write it at once can lose only a hint.
_stuck: dict[Hashable, float] = {}


def wait_for(keys: Collection[Hashable], wait: Callable[[Patience], Result]) -> Result:
    """Calls `wait`. Later callers of what is stuck wait only briefly: otherwise one transaction
    that keeps a popular row locked would block every thread of the shop."""
    now = time.monotonic()
    for key in [key for key, until in _stuck.copy().items() if until <= now]:
        _stuck.pop(key, None)
    known = any(_stuck.pop(key, None) for key in keys)
    try:
        return wait(Patience.BRIEF if known else Patience.FULL)
    except Error as error:
        if is_locked(error):
            _stuck.update(dict.fromkeys(keys, time.monotonic() + settings.LOCK_TIMEOUT_MS / 1000))
        raise

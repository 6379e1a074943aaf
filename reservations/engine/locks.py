"""Every lock that a transaction of the engine takes, in the one order that all transactions keep:

1. inventory rows, by primary key (`inventory.locks.locking`);
2. advisory locks, by number: holders, networks and idempotency keys, each in a number space of its
   own;
3. reservations, by primary key (`locking_reservations`).

A transaction that changes a reservation locks its inventory row first, so two transactions meet at
the inventory row and nowhere later, and none waits for a lock while it holds one of a higher rank.
The sweep (`reservations.clock.expiry`) and the stock room (`inventory.services`) take rank 1 alone.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache
from hashlib import blake2b
from typing import Any, TypeVar
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet

from allo.postgresql.trips import Statement
from inventory import locks
from reservations.engine.idempotency import Name
from reservations.models import Reservation

Id = TypeVar("Id", int, UUID)

BRIEFLY_MS = 100
# These last until the end of the transaction. Plans are kept: to plan what a batch writes takes as
# long as to write it. Sequential scans are off because a plan made while a table was small would be
# kept when it is large.
PATIENCE = """
    SELECT set_config('lock_timeout', %s, true), set_config('enable_seqscan', 'off', true),
        set_config('plan_cache_mode', 'force_generic_plan', true)
"""
# In the given order. A key that another transaction has locked is not waited for (its `locked` is
# false): its caller tries again later, and the rest of the batch goes on.
ADVISORY = """
    SELECT CASE WHEN wait THEN pg_advisory_xact_lock(number) IS NOT NULL
                ELSE pg_try_advisory_xact_lock(number) END AS locked
    FROM unnest(%s::bigint[], %s::bool[]) AS wanted(number, wait)
"""


class Patience(Enum):
    """How long to wait for inventory rows that other transactions have locked."""

    NONE = auto()  # they are skipped; other locks are waited for as with FULL
    BRIEF = auto()  # `BRIEFLY_MS`, since the rest of the batch waits too
    FULL = auto()  # `LOCK_TIMEOUT_MS`, less the time that the first caller has already waited


class Space(bytes, Enum):
    """What an advisory lock protects. Each kind has a number space of its own."""

    HOLDER = b"allo.holder"  # a limit on a holder's reservations, over all rows
    NETWORK = b"allo.network"  # a limit on a network's unpaid units, over all rows
    KEY = b"allo.key"  # one effect per idempotency key


@dataclass(frozen=True, slots=True)
class Wanted:
    """The names of what a batch locks."""

    rows: set[int]
    holders: set[str]
    networks: set[str]
    keys: list[Name]
    reservations: set[UUID]


def statements(wanted: Wanted, *, skip_locked: bool) -> dict[str, Statement]:
    """Takes the locks, in their order."""
    rows, reservations = _padded(sorted(wanted.rows)), _padded(sorted(wanted.reservations))
    found = {"stocks": Statement(_rows(locks.locking, len(rows), skip_locked), rows)}
    if advisory := _advisory(wanted):
        found["advisory"] = advisory
    if reservations:
        lock = _reservations(locking_reservations, len(reservations), skip_locked)
        found["reservations"] = Statement(lock, reservations)
    return found


def patience(patience: Patience, *, since: float) -> Statement:
    """Bounds each later wait for a lock; `since` is when the first caller arrived
    (`time.monotonic`)."""
    waited = 1000 * (time.monotonic() - since)
    left = 0 if patience is Patience.BRIEF else settings.LOCK_TIMEOUT_MS - waited
    return Statement(PATIENCE, [f"{max(left, BRIEFLY_MS):.0f}"])


def locking_reservations(
    ids: Iterable[UUID], *, skip_locked: bool = False
) -> QuerySet[Reservation]:
    """Rank 3. FOR NO KEY UPDATE, as a key's foreign key to its reservation takes FOR KEY SHARE."""
    rows = Reservation.objects.filter(pk__in=ids).order_by("pk")
    return rows.select_for_update(no_key=True, skip_locked=skip_locked)


def number(space: Space, *name: str) -> int:
    """A 64-bit number. Two names with the same number cost a wait, never a wrong result."""
    digest = blake2b("\0".join(name).encode(), digest_size=8, person=space.value).digest()
    return int.from_bytes(digest, signed=True)


def _advisory(wanted: Wanted) -> Statement | None:
    """Rank 2. A holder or network is waited for: the transaction that has it locked waits for no
    lock of a lower rank. A key is not: the transaction that has it locked may take any time."""
    held = [number(Space.HOLDER, name) for name in wanted.holders]
    waited = sorted(held + [number(Space.NETWORK, name) for name in wanted.networks])
    tried = [number(Space.KEY, *name) for name in wanted.keys]
    if not waited and not tried:
        return None
    wait = [True] * len(waited) + [False] * len(tried)
    return Statement(ADVISORY, [waited + tried, wait])


def _padded(ids: list[Id]) -> list[Id]:
    """The last id is repeated up to a power of two, so that few statements have to be prepared."""
    return ids + ids[-1:] * ((1 << max(len(ids) - 1, 0).bit_length()) - len(ids))


# The ORM's SQL, compiled once per number of rows. The locking function is part of the cache key, so
# that a test which replaces it (to prove what the lock prevents) does not get the cached one.


@lru_cache
def _rows(locking: Any, count: int, skip_locked: bool) -> str:
    rows = locking(range(count), skip_locked=skip_locked)
    return _compiled(rows.values_list("pk", "product", "total_units", "reserved_units"))


@lru_cache
def _reservations(locking: Any, count: int, skip_locked: bool) -> str:
    return _compiled(locking([UUID(int=n) for n in range(count)], skip_locked=skip_locked))


def _compiled(queryset: QuerySet[Any, Any]) -> str:
    return str(queryset.query.sql_with_params()[0])

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
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache
from hashlib import blake2b
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet

from inventory import locks
from reservations.engine.idempotency import Name
from reservations.models import Reservation

Statement = tuple[str, Sequence[Any]]

BRIEFLY_MS = 100
# Until the end of the transaction. And no table is read as a whole: a plan made while it was a page
# would be kept when it is a thousand.
PATIENCE = """
    SELECT set_config('lock_timeout', %s, true), set_config('enable_seqscan', 'off', true)
"""
# In the order given. A key that another transaction uses is not waited for (its `locked` is false):
# the caller tries again later, and its neighbours in the batch go on.
ADVISORY = """
    SELECT CASE WHEN wait THEN pg_advisory_xact_lock(number) IS NOT NULL
                ELSE pg_try_advisory_xact_lock(number) END AS locked
    FROM unnest(%s::bigint[], %s::bool[]) AS wanted(number, wait)
"""


class Patience(Enum):
    """How long to wait for rows that other transactions lock."""

    NONE = auto()  # they are passed over
    BRIEF = auto()  # as long as neighbours in the batch can bear: `BRIEFLY_MS`
    FULL = auto()  # `LOCK_TIMEOUT_MS`, less what the first caller has waited in line


class Space(bytes, Enum):
    """What advisory locks are for; each has numbers of its own."""

    HOLDER = b"allo.holder"  # a limit on what a holder has, over all rows
    NETWORK = b"allo.network"  # a limit on what a network has unpaid, over all rows
    KEY = b"allo.key"  # one effect per idempotency key


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a batch locks."""

    rows: set[int]
    holders: set[str]
    networks: set[str]
    keys: list[Name]
    reservations: set[UUID]


def statements(wanted: Wanted, *, skip_locked: bool) -> dict[str, Statement]:
    """The locks, in their order."""
    rows, reservations = sorted(wanted.rows), sorted(wanted.reservations)
    found: dict[str, Statement] = {"stocks": (_rows(locks.locking, len(rows), skip_locked), rows)}
    if advisory := _advisory(wanted):
        found["advisory"] = advisory
    if reservations:
        statement = _reservations(locking_reservations, len(reservations), skip_locked)
        found["reservations"] = (statement, reservations)
    return found


def patience(patience: Patience, *, since: float) -> Statement | None:
    """Bounds each wait that follows; `since` is when the first caller came (`time.monotonic`)."""
    if patience is Patience.NONE:
        return None
    waited = 1000 * (time.monotonic() - since)
    left = settings.LOCK_TIMEOUT_MS - waited if patience is Patience.FULL else 0
    return PATIENCE, [f"{max(left, BRIEFLY_MS):.0f}"]


def locking_reservations(
    ids: Iterable[UUID], *, skip_locked: bool = False
) -> QuerySet[Reservation]:
    """Rank 3. FOR NO KEY UPDATE, as a key's foreign key to its reservation takes FOR KEY SHARE."""
    rows = Reservation.objects.filter(pk__in=ids).order_by("pk")
    return rows.select_for_update(no_key=True, skip_locked=skip_locked)


def number(space: Space, *name: str) -> int:
    """A 64-bit number; two names that share one cost a wait, never a wrong answer."""
    digest = blake2b("\0".join(name).encode(), digest_size=8, person=space.value).digest()
    return int.from_bytes(digest, signed=True)


def _advisory(wanted: Wanted) -> Statement | None:
    """Holders and networks are waited for, as their owner waits for nothing of a lower rank. Keys
    are not: the transaction that uses one may take any time."""
    held = [number(Space.HOLDER, name) for name in wanted.holders]
    waited = sorted(held + [number(Space.NETWORK, name) for name in wanted.networks])
    tried = [number(Space.KEY, *name) for name in wanted.keys]
    if not waited and not tried:
        return None
    return ADVISORY, [waited + tried, [True] * len(waited) + [False] * len(tried)]


# The ORM's own SQL, compiled once for each number of rows. The function that locks is a part of the
# cache's key: a test that replaces it, to see what goes wrong without the lock, gets no older one.


@lru_cache
def _rows(locking: Any, count: int, skip_locked: bool) -> str:
    rows = locking(range(count), skip_locked=skip_locked)
    return _compiled(rows.values_list("pk", "product", "total_units", "reserved_units"))


@lru_cache
def _reservations(locking: Any, count: int, skip_locked: bool) -> str:
    return _compiled(locking([UUID(int=n) for n in range(count)], skip_locked=skip_locked))


def _compiled(queryset: QuerySet[Any, Any]) -> str:
    return str(queryset.query.sql_with_params()[0])

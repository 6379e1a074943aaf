"""The lock order, which all transactions keep:

1. inventory rows, by primary key (`inventory.locks.locking`);
2. advisory locks, by number: holders, networks, waiting lists and idempotency keys, each in a
   number space of its own;
3. reservations, by primary key (`locking_reservations`), then their contacts
   (`checkout.contacts`);
4. orders, by primary key;
5. payments, by primary key;
6. charges, then their refunds, by primary key;
7. the counter of invoice numbers.

A transaction that changes what is held locks the inventory row first, so two transactions meet at
the inventory row and nowhere later, and none waits for a lock while it holds one of a higher rank.
What changes neither units nor state (`services.excuse`, and what is forgotten) locks reservations
alone. The sweep (`reservations.clock.expiry`) and the stock room (`inventory.services`) take rank 1
alone.

Ranks 4 to 7 belong to the apps above this one. Their commands name the rows (`Above`), which are
locked after the reservations, in the order of their ranks. No transaction that holds a lock of rank
4 or more takes one of rank 1 to 3: a transaction about money alone begins at 4, a decision about
stock and money takes all its locks at once, from 1 on, and to cancel or restock an order the stock
room's locks come first, then the order's. An order comes before its payments and charges, so that a
transaction that decides about these has locked the order, and reads them as they are. The counter
is last, as all sales meet at it.

Inventory rows may be locked while a row of rank 4 to 7 is waited for. So that wait is brief
(`wait_briefly`): a transaction that keeps an order locked must not stop the sale of a popular row.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from functools import lru_cache
from hashlib import blake2b
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import QuerySet

from allo.postgresql.trips import Statement
from inventory import locks
from reservations.engine.idempotency import Name
from reservations.models import Reservation

BRIEFLY_MS = 100
# These last until the end of the transaction. Plans are kept: to plan what a batch writes takes as
# long as to write it. Sequential scans are off because a plan made while a table was small would be
# kept when it is large.
PATIENCE = """
    SELECT set_config('lock_timeout', %s, true), set_config('enable_seqscan', 'off', true),
        set_config('plan_cache_mode', 'force_generic_plan', true)
"""
# For what is written: everything that the engine knows of is locked by then.
BRIEFLY = "SELECT set_config('lock_timeout', %s, true)"
# In the given order. A key that another transaction has locked is not waited for (its `locked` is
# false): its caller tries again later, and the rest of the batch goes on.
ADVISORY = """
    SELECT CASE WHEN wait THEN pg_advisory_xact_lock(number) IS NOT NULL
                ELSE pg_try_advisory_xact_lock(number) END AS locked
    FROM unnest(%s::bigint[], %s::bool[]) AS wanted(number, wait)
"""
ONE_KEY, ANY_KEY = "IN (%s)", "= ANY(%s)"
# What is appended to the SQL of a lock, and shows that it is one.
SKIP_LOCKED, IS_LOCK = " SKIP LOCKED", "FOR NO KEY UPDATE"


class Patience(Enum):
    """How long to wait for rows that other transactions have locked."""

    NONE = auto()  # they are skipped; advisory locks are waited for as with FULL
    BRIEF = auto()  # `BRIEFLY_MS`, since the rest of the batch waits too
    FULL = auto()  # `LOCK_TIMEOUT_MS`, less the time that the first caller has already waited


class Space(bytes, Enum):
    """What an advisory lock protects. Each kind has a number space of its own."""

    HOLDER = b"allo.holder"  # a limit on a holder's reservations, over all rows
    NETWORK = b"allo.network"  # a limit on a network's unpaid units, over all rows
    LIST = b"allo.list"  # the order of a product's waiting list, over all rows, also if it has none
    KEY = b"allo.key"  # one effect per idempotency key


@dataclass(frozen=True, slots=True)
class Above:
    """Rows of one table, of rank 4 or higher, that a command locks and reads.

    `sql` is a constant text over one array of `keys`. Its first column is the key. It locks the
    rows if it ends in FOR NO KEY UPDATE (then `ORDER BY` the key), else it only reads them, after
    the locks of lower ranks. With `many`, a key has any number of rows; these are read, not locked:
    the lock of the row they belong to covers them.
    """

    rank: int
    name: str
    sql: str
    keys: tuple[Any, ...]
    many: bool = False

    def __post_init__(self) -> None:
        if self.many and self.is_lock:
            raise ValueError(f"nothing would tell which of the {self.name} were skipped")

    @property
    def is_lock(self) -> bool:
        return self.sql.rstrip().endswith(IS_LOCK)

    @property
    def lanes(self) -> list[tuple[str, Any]]:
        """What its command may have to wait for."""
        return [(self.name, key) for key in self.keys] if self.is_lock else []

    def statement(self, *, skip_locked: bool) -> Statement:
        lock = self.sql.rstrip() + SKIP_LOCKED if skip_locked and self.is_lock else self.sql
        return Statement(lock, [sorted(self.keys)])


@dataclass(frozen=True, slots=True)
class ToLock:
    """The names of what a batch locks."""

    rows: set[int]
    holders: set[str]
    networks: set[str]
    keys: list[Name]
    reservations: set[UUID]
    lists: set[int] = field(default_factory=set)
    above: Sequence[Above] = ()


def statements(wanted: ToLock, *, skip_locked: bool) -> dict[str, Statement]:
    """Takes the locks, in their order."""
    found = {"stocks": on_rows(wanted.rows, skip_locked=skip_locked)}
    if advisory := _advisory(wanted):
        found["advisory"] = advisory
    if wanted.reservations:
        found["reservations"] = _lock(
            _reservations, locking_reservations, sorted(wanted.reservations), skip_locked
        )
    for above in wanted.above:
        found[name_of(above)] = above.statement(skip_locked=skip_locked)
    return found


def on_rows(ids: Iterable[int], *, skip_locked: bool = False) -> Statement:
    """Rank 1."""
    return _lock(_rows, locks.locking, sorted(ids), skip_locked)


def name_of(above: Above) -> str:
    """The name of its statement."""
    return f"above {above.name}"


def in_order(wanted: Iterable[Above]) -> list[Above]:
    """One for each table, with the keys of all that name it, by rank."""
    merged: dict[str, Above] = {}
    for above in wanted:
        known = merged.get(above.name)
        keys = (*known.keys, *above.keys) if known else above.keys
        merged[above.name] = replace(above, keys=tuple(dict.fromkeys(keys)))
    return sorted(merged.values(), key=lambda above: above.rank)


def patience(patience: Patience, *, since: float) -> Statement:
    """Bounds each later wait for a lock; `since` is when the first caller arrived
    (`time.monotonic`)."""
    waited = 1000 * (time.monotonic() - since)
    left = 0 if patience is Patience.BRIEF else settings.LOCK_TIMEOUT_MS - waited
    return Statement(PATIENCE, [f"{max(left, BRIEFLY_MS):.0f}"])


def briefly() -> Statement:
    """Bounds the later waits of a transaction that has inventory rows locked."""
    return Statement(BRIEFLY, [f"{BRIEFLY_MS}"])


def wait_briefly() -> None:
    """`briefly`, for the caller's transaction."""
    with connection.cursor() as cursor:
        cursor.execute(*briefly())


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


def _advisory(wanted: ToLock) -> Statement | None:
    """Rank 2. A holder, network or list is waited for: the transaction that has it locked waits for
    no lock of a lower rank. A key is not: the transaction that has it locked may take any time."""
    held = [number(Space.HOLDER, name) for name in wanted.holders]
    held += [number(Space.LIST, f"{product}") for product in wanted.lists]
    waited = sorted(held + [number(Space.NETWORK, name) for name in wanted.networks])
    tried = [number(Space.KEY, *name) for name in wanted.keys]
    if not waited and not tried:
        return None
    wait = [True] * len(waited) + [False] * len(tried)
    return Statement(ADVISORY, [waited + tried, wait])


def _lock(
    compiled: Callable[..., str], locking: Any, keys: list[Any], skip_locked: bool
) -> Statement:
    """There are only two texts, so that few statements have to be prepared: one for a single row,
    whose plan is faster as nothing is sorted, and one for an array of any length, 0 included."""
    one = len(keys) == 1
    return Statement(compiled(locking, not one, skip_locked), keys if one else [keys])


# The ORM's SQL, compiled once. The locking function is part of the cache key, so that a test which
# replaces it (to prove what the lock prevents) does not get the cached one.


@lru_cache
def _rows(locking: Any, many: bool, skip_locked: bool) -> str:
    rows = locking([0], skip_locked=skip_locked)
    columns = ("pk", "product", "total_units", "reserved_units", "list_needs")
    return _compiled(rows.values_list(*columns), many)


@lru_cache
def _reservations(locking: Any, many: bool, skip_locked: bool) -> str:
    return _compiled(locking([UUID(int=0)], skip_locked=skip_locked), many)


def _compiled(queryset: QuerySet[Any, Any], many: bool) -> str:
    sql = str(queryset.query.sql_with_params()[0])
    assert sql.count(ONE_KEY) == 1
    return sql.replace(ONE_KEY, ANY_KEY) if many else sql

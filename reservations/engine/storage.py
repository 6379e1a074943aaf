"""How books are opened and written: two round trips to the database for a whole batch.

Everything is locked and read in the first, written and committed in the second. The locks come
first, in the order of `inventory.locks`; each statement sees what was committed before it began,
so what is read after a lock was had is current (READ COMMITTED).
"""

import time
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum, auto
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Self

from django.conf import settings
from django.db import connection
from django.db.models import QuerySet
from psycopg import Cursor

from inventory import locks
from reservations.engine import sql
from reservations.engine.books import Books, Name, Stock
from reservations.engine.idempotency import Answer, Once
from reservations.models import Reservation

if TYPE_CHECKING:
    from reservations.engine.commands import Command

Statement = tuple[str, Sequence[Any]]

FIELDS = [field.attname for field in Reservation._meta.concrete_fields]


class Patience(Enum):
    """How long rows that others hold are waited for."""

    NONE = auto()  # they are passed over
    BRIEF = auto()  # as long as neighbours in the batch can bear: `sql.BRIEFLY_MS`
    FULL = auto()  # `LOCK_TIMEOUT_MS`, less what the one who came first has waited in line


def open_books(commands: Sequence["Command"], patience: Patience) -> Books:
    """Locks and reads all that the commands need. Raises `django.db.Error` for want of a lock."""
    onces = [command.once for command in commands if command.once]
    names = [once.name for once in onces]
    found = one_trip(_statements(commands, names, patience))
    books = Books(found["now"][0][0], (Stock(*row) for row in found["stocks"]))
    for pk, unit_paise, name in found.get("prices", ()):
        # A row that was passed over is not in the books.
        if stock := books.stocks.get(pk):
            stock.unit_paise, stock.name = unit_paise, name
    pending = (row for _, *row in found["now"] if row[0])
    for row in (*found.get("reservations", ()), *pending):
        books.remember(Reservation.from_db("default", FIELDS, row))
    books.units_at = dict(found.get("units_at", ()))
    if names:
        had = [had for (had,) in found["locks"]][-len(names) :]
        books.keys_in_use = {name for name, h in zip(names, had, strict=True) if not h}
        books.answers = {
            (client, endpoint, key): (bytes(digest), Answer(status, body, replayed=True))
            for client, endpoint, key, digest, status, body in found["answers"]
        }
    return books


def _statements(
    commands: Sequence["Command"], names: list[Name], patience: Patience
) -> dict[str, Statement]:
    """In the lock order, then what is read under the locks, and the time last of all."""
    skip = patience is Patience.NONE
    holders = {command.holder for command in commands if command.holder}
    addresses = {command.capped_address for command in commands} - {""}
    rows = {row for command in commands for row in command.rows}
    ids = {command.reservation_id for command in commands if command.reservation_id}
    priced = {row for command in commands if command.reads_prices for row in command.rows}
    statements = {
        "patience": _lock_timeout(commands, patience),
        "stocks": (_lock_rows(len(rows), skip), [*rows]),
        "locks": _advisory_locks(holders | addresses, names),
        "reservations": (_lock_reservations(len(ids), skip), [*ids]) if ids else None,
        "prices": (sql.PRICES, [list(priced)]) if priced else None,
        "units_at": (sql.UNITS_AT, [list(addresses)]) if addresses else None,
        "answers": (sql.ANSWERS, columns(names)) if names else None,
        "now": (NOW_AND_PENDING_OF, [list(holders)]),
    }
    return {name: statement for name, statement in statements.items() if statement}


def _lock_timeout(commands: Sequence["Command"], patience: Patience) -> Statement | None:
    if patience is Patience.NONE:
        return None
    waited = 1000 * (time.monotonic() - min(command.since for command in commands))
    left = settings.LOCK_TIMEOUT_MS - waited if patience is Patience.FULL else 0
    return sql.PATIENCE, [f"{max(left, sql.BRIEFLY_MS):.0f}"]


NOW_AND_PENDING_OF = sql.NOW_AND_PENDING_OF.format(fields=", ".join(FIELDS))


@lru_cache
def _lock_rows(count: int, skip_locked: bool) -> str:
    """The ORM's own SQL, compiled once for each number of rows."""
    rows = locks.locking(range(count), skip_locked=skip_locked)
    return _compiled(rows.values_list("pk", "product", "total_units", "reserved_units"))


@lru_cache
def _lock_reservations(count: int, skip_locked: bool) -> str:
    ids = [uuid.UUID(int=number) for number in range(count)]
    rows = Reservation.objects.filter(pk__in=ids).order_by("pk")
    return _compiled(rows.select_for_update(no_key=True, skip_locked=skip_locked))


def _compiled(queryset: QuerySet[Any, Any]) -> str:
    return str(queryset.query.sql_with_params()[0])


def _advisory_locks(names: Iterable[str], keys: list[Name]) -> Statement | None:
    """Holders and addresses are waited for: whoever has them waits for nothing below this rank.
    Idempotency keys are not: their owner may be any distance away."""
    waited = sorted(lock_number(name) for name in names)
    tried = [lock_number(*key) for key in keys]
    if not waited and not tried:
        return None
    return sql.ADVISORY_LOCKS, [waited + tried, [True] * len(waited) + [False] * len(tried)]


def lock_number(*name: str) -> int:
    """A 64-bit number; two names that share one cost a wait, never a wrong answer."""
    digest = blake2b("\0".join(name).encode(), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)


def write(books: Books, *, commit: bool) -> None:
    """All that was decided, in one statement, after what goes with it; and sends the COMMIT along,
    which would otherwise cost a round trip more, and under load a wait for Python's lock, while
    the rows are locked."""
    # Before the decisions they go with: their own triggers see those reservations as pending still.
    for also, rows in _also(books).items():
        _cursor().execute(also, columns(rows))
    steps = list(_steps(books))
    if steps:
        statement = sql.in_one([statement for statement, _ in steps])
        _cursor().execute(statement, [value for _, values in steps for value in values])
    if commit:
        _cursor().execute("COMMIT")


def _also(books: Books) -> dict[str, list[tuple[Any, ...]]]:
    rows: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for statement, row in books.also:
        rows[statement].append(row)
    return rows


def _steps(books: Books) -> Iterator[Statement]:
    stocks = [s for s in books.stocks.values() if s.sold_now or s.held_now]
    changed = books.changed.values()
    sold = [r for r in changed if r.status == Reservation.Status.CONFIRMED]
    if stocks:
        yield sql.STOCK, columns((s.id, s.sold_now, s.held_now) for s in stocks)
    if held := books.held:
        values = columns(_held_row(r) for r in held)
        yield sql.HELD, [books.now, held[0].expires_at, *values]
    if changed:
        yield sql.CHANGED, columns(_changed_row(r) for r in changed)
    if sold:
        yield sql.SOLD, [books.now, *columns((r.inventory_id, -r.quantity, r.id) for r in sold)]
    if books.answered:
        yield sql.ANSWERED, [books.now, *columns(_answer_row(*row) for row in books.answered)]


def _held_row(r: Reservation) -> tuple[Any, ...]:
    return r.id, r.inventory_id, r.quantity, r.unit_paise, r.name, r.holder, r.address


def _changed_row(r: Reservation) -> tuple[Any, ...]:
    return r.id, r.status, r.withdrawn, r.ended_at, r.expires_at, r.renewals


def _answer_row(once: Once, answer: Answer, reservation_id: uuid.UUID | None) -> tuple[Any, ...]:
    return (*once.name, once.request_hash, answer.status, answer.body, reservation_id)


def columns(rows: Iterable[tuple[Any, ...]]) -> list[list[Any]]:
    """Rows as the arrays that `unnest` takes."""
    return [list(column) for column in zip(*rows, strict=True)]


def one_trip(statements: dict[str, Statement]) -> dict[str, list[Any]]:
    """The rows of each statement, run in the order given, for one round trip."""
    cursors = {}
    with connection.connection.pipeline():
        for name, statement in statements.items():
            cursors[name] = _cursor(Unprepared if name == "units_at" else Cursor)
            cursors[name].execute(*statement)
        return {name: c.fetchall() for name, c in cursors.items()}


class Unprepared(Cursor[Any]):
    """For what several indexes could answer, and which one well depends on how much there is."""

    def execute(self, query: Any, params: Any = None, **options: Any) -> Self:
        return super().execute(query, params, **options | {"prepare": False})


def _cursor(kind: type[Cursor[Any]] = Cursor) -> Any:
    """A cursor that binds in the server, where what is run often is then planned once; Django's
    own around it only when queries are logged."""
    cursor = kind(connection.connection)
    return connection.make_debug_cursor(cursor) if connection.queries_logged else cursor  # type: ignore[arg-type]

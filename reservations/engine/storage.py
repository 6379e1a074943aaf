"""How `Books` are read and written: two round trips to the database for a whole batch.

The first locks and reads everything, the second writes and commits. Locks come first, in the order
of `reservations.engine.locks`. Each statement sees what was committed before it began (READ
COMMITTED), so what is read under a lock is current.
"""

from collections import defaultdict
from collections.abc import Collection, Container, Iterable, Iterator, Sequence
from typing import Any
from uuid import UUID

from allo.metrics import counters
from allo.outbox.hooks.writing import WANTED
from allo.postgresql import trips
from allo.postgresql.trips import Rows, Statement
from reservations.engine import counting, locks, sql
from reservations.engine.also import Also
from reservations.engine.books import Books
from reservations.engine.commands import Command
from reservations.engine.idempotency import Once, Reply
from reservations.engine.limits import Uncounted
from reservations.engine.locks import Above, Patience
from reservations.engine.stock import Shortage, Stock
from reservations.exceptions import IdempotencyConflict
from reservations.models import IdempotencyKey, Reservation

FIELDS = [field.attname for field in Reservation._meta.concrete_fields]
NOW_AND_PENDING_OF = sql.NOW_AND_PENDING_OF.format(wanted=WANTED, fields=", ".join(FIELDS))
# How many dead holds are expired per statement while the row is locked, until enough is available.
EXPIRE_AT_ONCE = 200
COMMIT = Statement("COMMIT")


def open_books(commands: Sequence[Command], patience: Patience) -> Books:
    """Locks and reads all that the commands need. Raises `django.db.Error` if a lock is not
    free."""
    wanted = _wanted(commands)
    statements = _statements(commands, wanted, patience)
    with counters.LOCKING.time():
        found = dict(zip(statements, trips.run(list(statements.values())), strict=True))
    now, heard, *_ = found["now"][0]
    books = Books(now, (Stock(*row) for row in found["stocks"]))
    books.telling.wanted = heard
    for pk, *product in found.get("prices", ()):
        # A row whose lock was skipped is not in the books.
        if stock := books.stocks.get(pk):
            stock.describe(*product)
    pending = (row for _, _, *row in found["now"] if row[0])
    for row in (*found.get("reservations", ()), *pending):
        books.remember(Reservation.from_db("default", FIELDS, row))
    counting.fill(books, found)
    books.above = {
        above.name: _by_key(above, found[locks.name_of(above)]) for above in wanted.above
    }
    if wanted.keys:
        locked = [locked for (locked,) in found["advisory"]][-len(wanted.keys) :]
        books.keys_in_use = {
            name for name, mine in zip(wanted.keys, locked, strict=True) if not mine
        }
        books.replies = {
            (client, endpoint, key): (bytes(digest), Reply(status, body, replayed=True))
            for client, endpoint, key, digest, status, body in found["replies"]
        }
    return books


def stored_reply(once: Once) -> Reply | None:
    """The reply under a key, without its lock: None may be outdated. Raises
    `IdempotencyConflict`."""
    named = dict(zip(("client", "endpoint", "key"), once.name, strict=True))
    stored = IdempotencyKey.objects.filter(**named).first()
    if stored and bytes(stored.request_hash) != once.request_hash:
        raise IdempotencyConflict
    return Reply(stored.status, stored.body, replayed=True) if stored else None


def wait_for_above(commands: Sequence[Command], patience: Patience) -> None:
    """Waits for the locks of `above`, with nothing else locked, and gives them up again. Raises
    `django.db.Error` if one does not get free."""
    wanted = locks.in_order(above for command in commands for above in command.above)
    wait = [above.statement(skip_locked=False) for above in wanted if above.is_lock]
    trips.run([_patience(commands, patience), *wait, COMMIT])


def wait_for_row(row: int, commands: Sequence[Command], patience: Patience) -> None:
    """`wait_for_above`, for one inventory row."""
    trips.run([_patience(commands, patience), locks.on_rows([row]), COMMIT])


def look_up(books: Books, missing: Shortage | Uncounted) -> None:
    """What a command needs besides what was read for all."""
    if isinstance(missing, Shortage):
        free_due(books, missing)
    else:
        counting.count(books, missing.customer)


def free_due(books: Books, shortage: Shortage) -> None:
    """Expires dead holds of each row, oldest first, until enough is available or none is left."""
    for stock in shortage.stocks:
        while stock.available < shortage.wanted and not stock.nothing_due:
            due = (
                Reservation.objects.pending()
                .filter(inventory=stock.id, expires_at__lte=books.now)
                .exclude(pk__in=books.changed)
                .order_by("expires_at", "pk")[:EXPIRE_AT_ONCE]
            )
            found = [books.remember(reservation) for reservation in due]
            for reservation in found:
                books.end(reservation, Reservation.Status.EXPIRED)
            stock.nothing_due = len(found) < EXPIRE_AT_ONCE


def _wanted(commands: Sequence[Command]) -> locks.ToLock:
    return locks.ToLock(
        rows={row for command in commands for row in command.rows},
        holders={name for command in commands for name in command.holders},
        networks={command.holder.limited_network for command in commands} - {""},
        keys=[command.once.name for command in commands if command.once],
        reservations={pk for command in commands for pk in command.reservation_ids},
        lists={product for command in commands for product in command.lists},
        above=locks.in_order(above for command in commands for above in command.above),
    )


def _by_key(above: Above, rows: Rows) -> dict[Any, list[Any]]:
    if not above.many:
        return {row[0]: list(row) for row in rows}
    found: dict[Any, list[Any]] = {key: [] for key in above.keys}
    for row in rows:
        found[row[0]].append(list(row))
    return found


def _statements(
    commands: Sequence[Command], wanted: locks.ToLock, patience: Patience
) -> dict[str, Statement]:
    """Takes the locks in their order, then reads under them, and reads the time last."""
    priced = [row for command in commands if command.reads_prices for row in command.rows]
    statements = {
        "patience": _patience(commands, patience),
        **locks.statements(wanted, skip_locked=patience is Patience.NONE),
        "prices": Statement(sql.PRICES, [priced]) if priced else None,
        **counting.statements(commands),
        "replies": Statement(sql.REPLIES, columns(wanted.keys)) if wanted.keys else None,
        "now": Statement(NOW_AND_PENDING_OF, [list(wanted.holders)]),
    }
    return {name: statement for name, statement in statements.items() if statement}


def _patience(commands: Sequence[Command], patience: Patience) -> Statement:
    return locks.patience(patience, since=min(command.since for command in commands))


def write(books: Books, *, commit: bool) -> None:
    """Writes all decisions and commits in one round trip: with another one, and under load another
    wait for the GIL, the rows would be locked for longer."""
    statements = []
    if books.before or books.after:
        # What other apps write may wait for rows that nobody named.
        statements.append(locks.briefly())
    statements += _also(books.before)
    replaced = _replaced(books) if books.changed else {}
    statements += _making_room(books, replaced.values())
    if steps := [Statement(*step) for step in _steps(books, replaced)]:
        statements.append(sql.in_one(steps))
    statements += _also(books.after)
    if commit:
        statements.append(COMMIT)
    if statements:
        trips.run(statements)


def _also(wanted: list[Also]) -> list[Statement]:
    """One statement for the rows of each text, so that it stays prepared."""
    rows: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for also in sorted(wanted, key=lambda also: also.rank):
        rows[also.sql].append(also.row)
    return [Statement(text, columns(values)) for text, values in rows.items()]


def _making_room(books: Books, replaced: Collection[Reservation]) -> Iterator[Statement]:
    """The order in which the steps of one statement run is not defined, and a holder has one
    pending reservation of a row: a dead one ends before its successor is written or adopted."""
    if books.adopters:
        yield Statement(sql.ADOPTERS, [books.now, *columns(books.adopters.items())])
    if replaced:
        yield Statement(sql.CHANGED, columns(map(_changed_row, replaced)))
    if adopted := [*_adopted(books)]:
        yield Statement(sql.ADOPTED, columns(adopted))


def _replaced(books: Books) -> dict[UUID, Reservation]:
    if books.adopted:
        # A statement writes a row only once, and any of them may be adopted as well.
        return books.changed
    held = {(r.holder, r.inventory_id) for r in books.held}
    changed = books.changed.values()
    return {r.id: r for r in changed if (r.holder, r.inventory_id) in held}


def _adopted(books: Books) -> Iterator[tuple[Any, ...]]:
    """Those that are in the database and still pending: what has ended keeps its holder."""
    new = {reservation.id for reservation in books.held}
    for reservation in books.adopted.values():
        if reservation.is_pending and reservation.id not in new:
            yield reservation.id, reservation.holder


def _steps(books: Books, replaced: Container[UUID]) -> Iterator[tuple[str, Sequence[Any]]]:
    stocks = [s for s in books.stocks.values() if s.is_changed]
    changed = [r for r in books.changed.values() if r.id not in replaced]
    sold = [r for r in books.changed.values() if r.status == Reservation.Status.CONFIRMED]
    if stocks:
        yield sql.STOCK, columns((s.id, s.sold_now, s.held_now) for s in stocks)
    if books.held:
        yield sql.HELD, [books.now, *columns(map(_held_row, books.held))]
    if changed:
        yield sql.CHANGED, columns(map(_changed_row, changed))
    if sold:
        yield sql.SOLD, [books.now, *columns((r.inventory_id, -r.quantity, r.id) for r in sold)]
    if books.replied:
        yield sql.REPLIED, [books.now, *columns(_reply_row(*row) for row in books.replied)]
    yield from books.telling.statements()


def _held_row(r: Reservation) -> tuple[Any, ...]:
    return (
        r.id, r.inventory_id, r.quantity, r.unit_paise, r.name, r.holder, r.address, r.around,
        r.expires_at,
    )  # fmt: skip


def _changed_row(r: Reservation) -> tuple[Any, ...]:
    return (
        r.id, r.status, r.quantity, r.withdrawn, r.ended_at, r.expires_at, r.renewals,
        r.paying_since, r.window_given,
    )  # fmt: skip


def _reply_row(once: Once, reply: Reply, reservation_id: UUID | None) -> tuple[Any, ...]:
    return (*once.name, once.request_hash, reply.status, reply.body, reservation_id)


def columns(rows: Iterable[tuple[Any, ...]]) -> list[list[Any]]:
    """The rows as one array per column, as `unnest` takes them."""
    return [list(column) for column in zip(*rows, strict=True)]

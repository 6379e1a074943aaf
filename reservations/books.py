"""The books of one transaction: what it locked and read, what was decided, how that is written.

A batch is two round trips: everything is locked and read in the first, written and committed in
the second. The lock order is that of `inventory.locks`. Each statement sees what was committed
before it began, so what is read after a lock was had is current (READ COMMITTED).
"""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import connection
from django.db.models import QuerySet, Sum

from inventory import locks
from reservations import sql
from reservations.exceptions import IdempotencyConflict, InFlight, ReservationError
from reservations.idempotency import Answer, Once
from reservations.models import IdempotencyKey, Reservation

if TYPE_CHECKING:
    from reservations.commands import Command

Status = Reservation.Status
Outcome = Reservation | Answer | ReservationError

# Dead holds are freed this many at a time, until there is enough: the row stays locked meanwhile.
EXPIRE_AT_ONCE = 200


@dataclass(slots=True)
class Stock:
    """A locked inventory row, and what this transaction does to it."""

    id: int
    total: int
    reserved: int
    sold_now: int = 0
    held_now: int = 0

    @property
    def available(self) -> int:
        return self.total - self.sold_now - self.reserved - self.held_now


class Books:
    """Read once, decided on by commands in order of arrival, written once."""

    def __init__(self, commands: Sequence["Command"], *, wait: bool) -> None:
        """Locks and reads. With `wait` false, rows that others hold are passed over: `lacks`."""
        self._held: list[Reservation] = []
        self._changed: dict[uuid.UUID, Reservation] = {}
        self._answered: list[tuple[Once, Answer, uuid.UUID | None]] = []
        self._read(commands, wait=wait)

    # --- what commands ask --------------------------------------------------------------------

    def lacks(self, command: "Command") -> int | None:
        """The first row of the command whose lock was not had."""
        return next((row for row in command.rows if row not in self._stocks), None)

    def stock(self, row: int) -> Stock:
        return self._stocks[row]

    def reservation(self, reservation_id: uuid.UUID | None) -> Reservation:
        """The locked reservation; raises `Reservation.DoesNotExist`."""
        if reservation_id not in self._reservations:
            raise Reservation.DoesNotExist
        return self._reservations[reservation_id]

    def pending_of(self, holder: str) -> list[Reservation]:
        """The holder's pending reservations, past their time or not, of all rows."""
        return [held for held in self._pending[holder] if held.is_pending]

    def units_at(self, address: str) -> int:
        """Units that live reservations of an address hold."""
        return self._units_at.get(address, 0)

    # --- what commands do -----------------------------------------------------------------------

    def hold(self, stock: Stock, quantity: int, holder: str, address: str) -> Reservation:
        reservation = Reservation(
            inventory_id=stock.id,
            quantity=quantity,
            holder=holder,
            address=address,
            created_at=self.now,
            expires_at=self.now + timedelta(seconds=settings.RESERVATION_TTL_SECONDS),
        )
        stock.held_now += quantity
        self._held.append(reservation)
        self._remember(reservation)
        self._units_at[address] = self.units_at(address) + quantity
        return reservation

    def end(self, reservation: Reservation, status: Reservation.Status) -> Reservation:
        """Takes a pending reservation to a final state, and its units off the books."""
        stock = self._stocks[reservation.inventory_id]
        stock.held_now -= reservation.quantity
        if status == Status.CONFIRMED:
            stock.sold_now += reservation.quantity
        if not reservation.is_due(self.now):
            self._units_at[reservation.address] = (
                self.units_at(reservation.address) - reservation.quantity
            )
        reservation.status = status
        reservation.ended_at = self.now
        self._changed[reservation.id] = reservation
        return reservation

    def renew(self, reservation: Reservation) -> Reservation:
        reservation.expires_at = self.now + timedelta(seconds=settings.RESERVATION_TTL_SECONDS)
        reservation.renewals += 1
        self._changed[reservation.id] = reservation
        return reservation

    def expire_due(self, stock: Stock, wanted: int) -> None:
        """Expires dead holds of a row, oldest first, until `wanted` units are available."""
        while stock.available < wanted:
            due = (
                Reservation.objects.pending()
                .filter(inventory=stock.id, expires_at__lte=self.now)
                .exclude(pk__in=self._changed)
                .order_by("expires_at", "pk")[:EXPIRE_AT_ONCE]
            )
            found = [self._remember(reservation) for reservation in due]
            for reservation in found:
                self.end(reservation, Status.EXPIRED)
            if len(found) < EXPIRE_AT_ONCE:
                return

    def settle(self, command: "Command") -> Outcome:
        """Decides one command; under a key, gives the stored answer or stores this one."""
        once = command.once
        try:
            if once and (answer := self._answer_before(once)):
                return answer
            outcome: Reservation | ReservationError = command.decide(self)
        except ReservationError as refusal:
            outcome = refusal
        if once is None or (isinstance(outcome, ReservationError) and outcome.transient):
            return outcome
        if isinstance(outcome, IdempotencyConflict):
            return outcome
        return self._answer(once, outcome)

    def _answer_before(self, once: Once) -> Answer | None:
        if once.name in self._keys_in_use:
            raise InFlight
        if not (before := self._answers.get(once.name)):
            return None
        request_hash, answer = before
        if request_hash != once.request_hash:
            raise IdempotencyConflict
        return answer

    def _answer(self, once: Once, outcome: Reservation | ReservationError) -> Answer:
        answer = once.render(outcome)
        again = Answer(answer.status, answer.body, replayed=True)
        self._answers[once.name] = (once.request_hash, again)
        reservation_id = outcome.id if isinstance(outcome, Reservation) else None
        self._answered.append((once, answer, reservation_id))
        return answer

    # --- one round trip to read -----------------------------------------------------------------

    def _read(self, commands: Sequence["Command"], *, wait: bool) -> None:
        """The order of the queries is the lock order; the clock is read when all locks are had."""
        onces = [command.once for command in commands if command.once]
        holders = {command.holder for command in commands if command.holder}
        addresses = {command.address for command in commands if command.address}
        if not settings.RESERVATION_MAX_UNITS_PER_ADDRESS:
            addresses.clear()
        rows = {row for command in commands for row in command.rows}
        ids = {command.reservation_id for command in commands if command.reservation_id}
        found = one_trip(
            stocks=locks.locking(rows, skip_locked=not wait).values_list(
                "pk", "total_units", "reserved_units"
            ),
            keys_had=_advisory_locks(holders | addresses, onces),
            reservations=_locking_reservations(ids, skip_locked=not wait) if ids else None,
            pending=Reservation.objects.pending().filter(holder__in=holders) if holders else None,
            units_at=_units_at(addresses) if addresses else None,
            answers=_answers(onces) if onces else None,
            now=(sql.NOW, ()),
        )
        self._stocks = {row[0]: Stock(*row) for row in found["stocks"]}
        had = [had for (had,) in found["keys_had"]][len(holders | addresses) :]
        self._keys_in_use = {o.name for o, h in zip(onces, had, strict=True) if not h}
        self._reservations = {}
        self._pending = defaultdict(list)
        for row in (*found["reservations"], *found["pending"]):
            self._remember(Reservation.from_db("default", RESERVATION_FIELDS, row))
        self._units_at = dict(found["units_at"])
        self._answers = {
            (client, endpoint, key): (bytes(digest), Answer(status, body, replayed=True))
            for client, endpoint, key, digest, status, body in found["answers"]
        }
        self.now = found["now"][0][0]

    def _remember(self, reservation: Reservation) -> Reservation:
        """One object per reservation, however it was found."""
        known = self._reservations.setdefault(reservation.id, reservation)
        if known is reservation:
            self._pending[reservation.holder].append(reservation)
        return known

    # --- one statement to write -----------------------------------------------------------------

    def write(self) -> None:
        steps = list(self._steps())
        if steps:
            with connection.cursor() as cursor:
                cursor.execute(
                    sql.in_one([statement for statement, _ in steps]),
                    [value for _, values in steps for value in values],
                )

    def _steps(self) -> Iterator[tuple[str, list[Any]]]:
        stocks = [s for s in self._stocks.values() if s.sold_now or s.held_now]
        if stocks:
            yield sql.STOCK, columns((s.id, s.sold_now, s.held_now) for s in stocks)
        if self._held:
            yield (
                sql.HELD,
                [
                    self.now,
                    *columns(
                        (r.id, r.inventory_id, r.quantity, r.holder, r.address, r.expires_at)
                        for r in self._held
                    ),
                ],
            )
        changed = self._changed.values()
        if changed:
            yield (
                sql.CHANGED,
                columns((r.id, r.status, r.ended_at, r.expires_at, r.renewals) for r in changed),
            )
        sold = [r for r in changed if r.status == Status.CONFIRMED]
        if sold:
            yield sql.SOLD, [self.now, *columns((r.inventory_id, -r.quantity, r.id) for r in sold)]
        if self._answered:
            yield (
                sql.ANSWERED,
                [
                    self.now,
                    *columns(
                        (
                            o.client,
                            o.endpoint,
                            o.key,
                            o.request_hash,
                            a.status,
                            a.body,
                            reservation_id,
                        )
                        for o, a, reservation_id in self._answered
                    ),
                ],
            )


RESERVATION_FIELDS = [field.attname for field in Reservation._meta.concrete_fields]


def one_trip(**queries: QuerySet[Any] | tuple[str, Sequence[Any]] | None) -> dict[str, list[Any]]:
    """The rows of each query, in the order given, for one round trip to the database."""
    cursors = {}
    with connection.connection.pipeline():
        for name, query in queries.items():
            if query is not None:
                statement = query.query.sql_with_params() if isinstance(query, QuerySet) else query
                cursors[name] = connection.cursor()
                cursors[name].execute(*statement)
        found = {name: cursor.fetchall() for name, cursor in cursors.items()}
    return {name: found.get(name, []) for name in queries}


def columns(rows: Iterable[tuple[Any, ...]]) -> list[list[Any]]:
    """Rows as the arrays that `unnest` takes."""
    return [list(column) for column in zip(*rows, strict=True)]


def _locking_reservations(ids: Iterable[uuid.UUID], *, skip_locked: bool) -> QuerySet[Reservation]:
    return (
        Reservation.objects.filter(pk__in=ids)
        .order_by("pk")
        .select_for_update(no_key=True, skip_locked=skip_locked)
    )


def _units_at(addresses: Iterable[str]) -> QuerySet[Any]:
    return (
        Reservation.objects.live()
        .filter(address__in=addresses)
        .order_by()
        .values_list("address")
        .annotate(units=Sum("quantity"))
    )


def _answers(onces: Iterable[Once]) -> QuerySet[Any]:
    # One array per column: far cheaper to plan than as many ORs as there are keys.
    return IdempotencyKey.objects.filter(key__in={once.key for once in onces}).values_list(
        "client", "endpoint", "key", "request_hash", "status", "body"
    )


def _advisory_locks(names: Iterable[str], onces: Iterable[Once]) -> tuple[str, list[Any]]:
    """Holders and addresses are waited for: whoever has them waits for nothing below this rank.
    Idempotency keys are not: their owner may be any distance away."""
    waited = sorted(_number(name) for name in names)
    tried = [_number("\0".join(once.name)) for once in onces]
    return sql.ADVISORY_LOCKS, [waited + tried, [True] * len(waited) + [False] * len(tried)]


def _number(name: str) -> int:
    """A 64-bit lock number; a collision costs a wait, never a wrong answer."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), signed=True)

"""The books of one transaction, on which commands decide."""

import uuid
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings

from reservations.engine.idempotency import Answer, Once
from reservations.exceptions import IdempotencyConflict, InFlight, ReservationError
from reservations.models import Reservation

if TYPE_CHECKING:
    from reservations.engine.commands import Command

Status = Reservation.Status
Name = tuple[str, str, str]
Outcome = Reservation | Answer | ReservationError
# A constant statement over arrays, and one row of them: what another app writes with a decision.
Also = tuple[str, tuple[Any, ...]]

# Dead holds are freed this many at a time, until there is enough: the row stays locked meanwhile.
EXPIRE_AT_ONCE = 200


@dataclass(slots=True)
class Stock:
    """A locked inventory row, and what this transaction does to it."""

    id: int
    product: int
    total: int
    reserved: int
    # What one costs now, and is called: read for those who may hold it (`Command.reads_prices`).
    unit_paise: int = 0
    name: str = ""
    sold_now: int = 0
    held_now: int = 0
    nothing_due: bool = False  # every dead hold of the row is expired, in this transaction

    @property
    def available(self) -> int:
        return self.total - self.sold_now - self.reserved - self.held_now


class Books:
    """What one transaction has locked and read, and what commands decided in order of arrival.

    `reservations.engine.storage` opens them and writes them; nothing else here touches the database
    but `expire_due`, and only when stock falls short.
    """

    def __init__(self, now: datetime, stocks: Iterable[Stock]) -> None:
        self.now = now
        self.stocks = {stock.id: stock for stock in stocks}
        self.units_at: dict[str, int] = {}
        self.answers: dict[Name, tuple[bytes, Answer]] = {}
        self.keys_in_use: set[Name] = set()
        self.held: list[Reservation] = []
        self.changed: dict[uuid.UUID, Reservation] = {}
        self.also: list[Also] = []
        self.answered: list[tuple[Once, Answer, uuid.UUID | None]] = []
        self._reservations: dict[uuid.UUID, Reservation] = {}
        self._pending: dict[str, list[Reservation]] = defaultdict(list)

    # --- what commands ask --------------------------------------------------------------------

    def lacks(self, command: "Command", *, passed_over: bool) -> int | None:
        """The first row of the command that was not locked. Where locks of others were passed over
        a missing reservation may be one of them; its own row is then the place to wait at."""
        if passed_over and command.reservation_id not in {None, *self._reservations}:
            return command.rows[0]
        return next((row for row in command.rows if row not in self.stocks), None)

    def stock(self, row: int) -> Stock:
        return self.stocks[row]

    def reservation(self, reservation_id: uuid.UUID | None) -> Reservation:
        """The locked reservation; raises `Reservation.DoesNotExist`."""
        if reservation_id not in self._reservations:
            raise Reservation.DoesNotExist
        return self._reservations[reservation_id]

    def pending_of(self, holder: str) -> list[Reservation]:
        """The holder's pending reservations, past their time or not, of all rows."""
        return [held for held in self._pending[holder] if held.is_pending]

    # --- what commands do -----------------------------------------------------------------------

    def hold(self, stock: Stock, quantity: int, holder: str, address: str) -> Reservation:
        reservation = Reservation(
            inventory_id=stock.id,
            quantity=quantity,
            unit_paise=stock.unit_paise,
            name=stock.name,
            holder=holder,
            address=address,
            created_at=self.now,
            expires_at=self.now + timedelta(seconds=settings.RESERVATION_TTL_SECONDS),
        )
        stock.held_now += quantity
        self.held.append(reservation)
        self.remember(reservation)
        self._count(reservation, quantity)
        return reservation

    def end(
        self, reservation: Reservation, status: Reservation.Status, *, withdrawn: str = ""
    ) -> Reservation:
        """Takes a pending reservation to a final state, and its units off the books."""
        stock = self.stocks[reservation.inventory_id]
        stock.held_now -= reservation.quantity
        if status == Status.CONFIRMED:
            stock.sold_now += reservation.quantity
        if not reservation.is_due(self.now):
            self._count(reservation, -reservation.quantity)
        reservation.status = status
        reservation.ended_at = self.now
        reservation.withdrawn = withdrawn
        self.changed[reservation.id] = reservation
        return reservation

    def renew(self, reservation: Reservation) -> Reservation:
        reservation.expires_at = self.now + timedelta(seconds=settings.RESERVATION_TTL_SECONDS)
        reservation.renewals += 1
        self.changed[reservation.id] = reservation
        return reservation

    def extend(self, reservation: Reservation, by: timedelta) -> Reservation:
        reservation.expires_at += by
        self.changed[reservation.id] = reservation
        return reservation

    def _count(self, reservation: Reservation, units: int) -> None:
        address = reservation.address
        if address:
            self.units_at[address] = self.units_at.get(address, 0) + units

    def expire_due(self, stock: Stock, wanted: int) -> None:
        """Expires dead holds of a row, oldest first, until `wanted` units are available."""
        while stock.available < wanted and not stock.nothing_due:
            due = (
                Reservation.objects.pending()
                .filter(inventory=stock.id, expires_at__lte=self.now)
                .exclude(pk__in=self.changed)
                .order_by("expires_at", "pk")[:EXPIRE_AT_ONCE]
            )
            found = [self.remember(reservation) for reservation in due]
            for reservation in found:
                self.end(reservation, Status.EXPIRED)
            stock.nothing_due = len(found) < EXPIRE_AT_ONCE

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
        if once.name in self.keys_in_use:
            raise InFlight
        if not (before := self.answers.get(once.name)):
            return None
        request_hash, answer = before
        if request_hash != once.request_hash:
            raise IdempotencyConflict
        return answer

    def _answer(self, once: Once, outcome: Reservation | ReservationError) -> Answer:
        answer = once.render(outcome)
        again = Answer(answer.status, answer.body, replayed=True)
        self.answers[once.name] = (once.request_hash, again)
        reservation_id = outcome.id if isinstance(outcome, Reservation) else None
        self.answered.append((once, answer, reservation_id))
        return answer

    def remember(self, reservation: Reservation) -> Reservation:
        """One object per reservation, however it was found."""
        known = self._reservations.setdefault(reservation.id, reservation)
        if known is reservation:
            self._pending[reservation.holder].append(reservation)
        return known

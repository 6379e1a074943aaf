"""The rules: each verb decides on the books of a transaction that holds the locks it needs.

Nothing here reads or writes the database, so every rule can be read, and tested, as plain code.
A command raises its refusal; what it did to the books before that (expiring a dead hold) stays.
"""

import time
from dataclasses import dataclass, field
from datetime import timedelta
from typing import ClassVar
from uuid import UUID

from django.conf import settings

from reservations.engine.books import Also, Books, Shortage, Stock
from reservations.engine.idempotency import Once
from reservations.exceptions import (
    InsufficientStock,
    LimitReached,
    NotPending,
    ReservationExpired,
)
from reservations.models import Reservation

Status = Reservation.Status


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose a hold is to be. The units held unpaid are counted by `network`, unless it is "";
    it may hold `cap` of them, None being what the settings say and 0 no limit."""

    name: str
    network: str = ""
    cap: int | None = None

    @property
    def most(self) -> int:
        common: int = settings.RESERVATION_MAX_UNITS_PER_ADDRESS
        return common if self.cap is None else self.cap

    @property
    def counted(self) -> str:
        """The network whose held units have to be counted, if any."""
        return self.network if self.most else ""


NOBODY = Holder("")


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One caller's request, made at `since` (`time.monotonic`). `rows` are the inventory rows to
    lock, by primary key."""

    rows: tuple[int, ...]
    once: Once | None = None
    reservation_id: UUID | None = None
    holder: Holder = NOBODY
    since: float = field(default_factory=time.monotonic, compare=False)

    reads_prices: ClassVar[bool] = False

    def decide(self, books: Books) -> Reservation:
        """Raises `ReservationError`, or `Reservation.DoesNotExist`; `Shortage`, to be asked again
        when dead holds are freed."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserve(Command):
    """Hold `quantity` units of one of `rows`: of several, the one with the most available."""

    quantity: int

    reads_prices = True

    def decide(self, books: Books) -> Reservation:
        """A holder who asks again for a row it holds is answered with the hold there is."""
        if existing := self._existing(books):
            return existing
        self._check_limits(books)
        stock = self._stock(books)
        return books.hold(stock, self.quantity, self.holder.name, self.holder.network)

    def _existing(self, books: Books) -> Reservation | None:
        for hold in books.pending_of(self.holder.name):
            if hold.inventory_id in self.rows:
                if not hold.is_due(books.now):
                    return hold
                books.end(hold, Status.EXPIRED)
        return None

    def _check_limits(self, books: Books) -> None:
        live = sum(not hold.is_due(books.now) for hold in books.pending_of(self.holder.name))
        who = self.holder
        at_network = books.units_at.get(who.network, 0) + self.quantity if who.network else 0
        by_network = "RESERVATION_MAX_UNITS_PER_ADDRESS" if who.cap is None else "max_units"
        for name, wanted, maximum in (
            ("RESERVATION_MAX_UNITS", self.quantity, settings.RESERVATION_MAX_UNITS),
            ("RESERVATION_MAX_LIVE", live + 1, settings.RESERVATION_MAX_LIVE),
            (by_network, at_network, who.most),
        ):
            if maximum and wanted > maximum:
                raise LimitReached(name, maximum)

    def _stock(self, books: Books) -> Stock:
        stocks = [books.stock(row) for row in self.rows]
        best = max(stocks, key=lambda stock: stock.available)
        if best.available >= self.quantity:
            return best
        # Nobody is told "sold out" because of a dead hold.
        if still_due := [stock for stock in stocks if not stock.nothing_due]:
            raise Shortage(still_due, self.quantity)
        raise InsufficientStock(best.available)


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirm(Command):
    """`also` is what is written with the sale, and only with it."""

    also: Also | None = None

    def decide(self, books: Books) -> Reservation:
        sold = books.end(_live(books, self), Status.CONFIRMED)
        if self.also:
            books.also.append(self.also)
        return sold


class Release(Command):
    def decide(self, books: Books) -> Reservation:
        """Releasing twice is fine: the second finds what the first wanted."""
        reservation = books.reservation(self.reservation_id)
        if reservation.status == Status.RELEASED:
            return reservation
        return books.end(_live(books, self), Status.RELEASED)


class Renew(Command):
    def decide(self, books: Books) -> Reservation:
        reservation = _live(books, self)
        if not reservation.renewals_left:
            raise LimitReached("RESERVATION_MAX_RENEWALS", settings.RESERVATION_MAX_RENEWALS)
        return books.renew(reservation)


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdraw(Command):
    """`Release` by staff: who finds it released already has not released it."""

    cause: Reservation.Cause

    def decide(self, books: Books) -> Reservation:
        return books.end(_live(books, self), Status.RELEASED, withdrawn=self.cause)


@dataclass(frozen=True, slots=True, kw_only=True)
class Extend(Command):
    """More time than the shopper could take: `by` is added to what is left."""

    by: timedelta

    def decide(self, books: Books) -> Reservation:
        return books.extend(_live(books, self), self.by)


class Expire(Command):
    def decide(self, books: Books) -> Reservation:
        """Expires it if it is due; otherwise leaves it as it is."""
        reservation = books.reservation(self.reservation_id)
        if reservation.is_due(books.now):
            books.end(reservation, Status.EXPIRED)
        return reservation


def _live(books: Books, command: Command) -> Reservation:
    """The reservation, if it is pending and in time by the clock that was read under the lock."""
    reservation = books.reservation(command.reservation_id)
    if reservation.is_due(books.now):
        books.end(reservation, Status.EXPIRED)
    if reservation.status == Status.EXPIRED:
        raise ReservationExpired
    if not reservation.is_pending:
        raise NotPending(reservation.status, by_staff=bool(reservation.withdrawn))
    return reservation

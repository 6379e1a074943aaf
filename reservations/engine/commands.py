"""The rules. Each verb decides on the `Books` of a transaction that holds the locks it needs.

Nothing here reads or writes the database, so every rule can be read and tested as plain code. A
command raises its refusal; what it changed before that (it expired a dead hold) is kept.
"""

import time
from collections.abc import Collection, Hashable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar
from uuid import UUID

from django.conf import settings

from reservations.engine import limits
from reservations.engine.books import Books
from reservations.engine.holder import NOBODY, Holder
from reservations.engine.idempotency import Bag, Once
from reservations.engine.locks import Above
from reservations.engine.stock import Shortage, Stock
from reservations.exceptions import (
    AlreadyHeld,
    BeingPaid,
    Busy,
    InsufficientStock,
    LimitReached,
    NotInShop,
    NotOpen,
    PriceChanged,
    QuantityChanged,
    TimeChanged,
    WaitingList,
)
from reservations.models import Reservation

__all__ = [
    "NOBODY", "Change", "Command", "Confirm", "Expire", "Extend", "Holder", "Release", "Renew",
    "Reserve", "Withdraw",
]  # fmt: skip

Status = Reservation.Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One caller's request, made at `since` (`time.monotonic`), and what it locks: inventory rows,
    by primary key, their reservations, waiting lists, by product, and rows of the apps above."""

    rows: tuple[int, ...]
    reservation_ids: tuple[UUID, ...] = ()
    lists: tuple[int, ...] = ()
    above: tuple[Above, ...] = ()
    once: Once | None = None
    holder: Holder = NOBODY
    seen: int | None = None  # the held quantity that the caller last saw, if it sent that
    since: float = field(default_factory=time.monotonic, compare=False)

    reads_prices: ClassVar[bool] = False

    @property
    def reservation_id(self) -> UUID:
        """Of a command on one reservation."""
        return self.reservation_ids[0]

    @property
    def is_wide(self) -> bool:
        """Whether it may wait for a lock while it keeps the inventory row of others locked."""
        return bool(self.above) or len(self.reservation_ids) > 1 or len(self.rows) > 1

    @property
    def holders(self) -> Collection[str]:
        """The names of the holders that it locks."""
        return self.holder.names

    @property
    def lanes(self) -> list[Hashable]:
        """What it may have to wait for, orders first: these are waited for with nothing locked."""
        return [*(lane for above in self.above for lane in above.lanes), *self.rows]

    def decide(self, books: Books) -> Reservation | Bag:
        """Raises `ReservationError`, `Reservation.DoesNotExist`, `Shortage` or `Uncounted`: then
        dead holds are expired, or more is read, and it is called again."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserve(Command):
    """Hold `quantity` units of one of `rows`: of several, the one with the most available."""

    quantity: int

    reads_prices = True

    def decide(self, books: Books) -> Reservation:
        """A holder that already holds this quantity, in any of the rows, gets its existing
        reservation. Another quantity is refused: that is what `Change` is for."""
        if existing := self._existing(books):
            if same := [hold for hold in existing if hold.quantity == self.quantity]:
                return same[0]
            raise AlreadyHeld(existing[0].id, existing[0].quantity)
        stock = books.stock(self.rows[0])
        _check_for_sale(books, stock)
        live = sum(not hold.is_due(books.now) for hold in books.pending_of(self.holder.name))
        limits.check("RESERVATION_MAX_LIVE", live + 1, settings.RESERVATION_MAX_LIVE)
        limits.check_units(books, self.holder, limits.Units(self.quantity, self.quantity, stock))
        network = limits.network_of(books, self.holder)
        return books.hold(self._stock(books), self.quantity, self.holder.name, network)

    def _existing(self, books: Books) -> list[Reservation]:
        """The holder's live reservations of these rows; the dead ones are expired."""
        pending = books.pending_of(self.holder.name)
        mine = [hold for hold in pending if hold.inventory_id in self.rows]
        for hold in mine:
            if hold.is_due(books.now):
                books.end(hold, Status.EXPIRED)
        return [hold for hold in mine if hold.is_pending]

    def _stock(self, books: Books) -> Stock:
        stocks = [books.stock(row) for row in self.rows]
        best = max(stocks, key=lambda stock: stock.free)
        if best.free >= self.quantity:
            return best
        # A dead hold is no reason to refuse: expire those that are left first.
        if still_due := [stock for stock in stocks if stock.may_free(self.quantity)]:
            raise Shortage(still_due, self.quantity)
        if any(stock.available >= self.quantity for stock in stocks):
            raise WaitingList
        raise InsufficientStock(best.free, several=len(stocks) > 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change(Command):
    """Hold `quantity` units (1 or more) of the same row until the same time. Fewer units are always
    possible; more only while it is for sale, within all limits and at an unchanged price."""

    quantity: int

    reads_prices = True

    def decide(self, books: Books) -> Reservation:
        held = books.live(self.reservation_id)
        if self.quantity == held.quantity:
            return held
        _check_not_paying(held)
        _check_seen(self, held)
        if self.quantity > held.quantity:
            self._check_growth(books, held)
        return books.change(held, self.quantity)

    def _check_growth(self, books: Books, held: Reservation) -> None:
        if held.holder != self.holder.name:
            # Adopted since that was read, so its holder's name is not locked: try again.
            raise Busy
        stock, more = books.stock(held.inventory_id), self.quantity - held.quantity
        _check_for_sale(books, stock)
        limits.check_units(books, self.holder, limits.Units(self.quantity, more, stock))
        if stock.unit_paise != held.unit_paise:
            raise PriceChanged(held.unit_paise, stock.unit_paise)
        if stock.free >= more:
            return
        if stock.may_free(more):
            raise Shortage([stock], more)
        if stock.available >= more:
            raise WaitingList
        raise InsufficientStock(stock.free, held=held.quantity)


class Confirm(Command):
    def decide(self, books: Books) -> Reservation:
        """Sell the units, unless they are on an open order: that sells them when it is paid."""
        held = books.live(self.reservation_id)
        _check_not_paying(held)
        return books.end(held, Status.CONFIRMED)


class Release(Command):
    def decide(self, books: Books) -> Reservation:
        """Free the units. A second release changes nothing and is not refused."""
        reservation = books.reservation(self.reservation_id)
        if reservation.status == Status.RELEASED:
            return reservation
        held = books.live(self.reservation_id)
        _check_seen(self, held)
        return books.end(held, Status.RELEASED)


class Renew(Command):
    def decide(self, books: Books) -> Reservation:
        reservation = books.live(self.reservation_id)
        if not reservation.renewals_left:
            raise LimitReached("RESERVATION_MAX_RENEWALS", settings.RESERVATION_MAX_RENEWALS)
        return books.renew(reservation)


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdraw(Command):
    """`Release` by staff. If it is released already it is refused: staff did not release it."""

    cause: Reservation.Cause

    def decide(self, books: Books) -> Reservation:
        return books.end(books.live(self.reservation_id), Status.RELEASED, withdrawn=self.cause)


@dataclass(frozen=True, slots=True, kw_only=True)
class Extend(Command):
    """More time from staff, without the holder's limit: `by` is added to the time that is left."""

    by: timedelta
    until: datetime | None = None  # when that ended as staff saw it, if they sent that

    def decide(self, books: Books) -> Reservation:
        held = books.live(self.reservation_id)
        if self.until not in {None, held.expires_at}:
            raise TimeChanged(held.expires_at)
        return books.extend(held, self.by)


class Expire(Command):
    def decide(self, books: Books) -> Reservation:
        """Expire the reservation if it is due."""
        reservation = books.reservation(self.reservation_id)
        if reservation.is_due(books.now):
            books.end(reservation, Status.EXPIRED)
        return reservation


def _check_for_sale(books: Books, stock: Stock) -> None:
    """By the clock that was read under the locks, as every process has the same one."""
    if stock.published_at is None or books.now < stock.published_at:
        raise NotInShop
    if stock.opens_at and books.now < stock.opens_at:
        raise NotOpen(stock.opens_at, books.now)


def _check_seen(command: Command, reservation: Reservation) -> None:
    if command.seen not in {None, reservation.quantity}:
        raise QuantityChanged(reservation.quantity)


def _check_not_paying(reservation: Reservation) -> None:
    if reservation.paying_since:
        raise BeingPaid

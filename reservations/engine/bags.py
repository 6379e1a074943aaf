"""What an order does with its holds: with all of them, or with none.

Plain code on the books of a transaction that has all of them locked. Each first looks at all holds,
then changes them, so that nothing is changed when one refuses (but that one past its time is
expired).
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import timedelta
from uuid import UUID

from reservations.engine.books import Books
from reservations.exceptions import (
    BeingPaid,
    NotPending,
    PriceChanged,
    QuantityChanged,
    ReservationError,
    ReservationExpired,
)
from reservations.models import Reservation

# A hold as a page showed it: id, quantity, price of a unit in paise.
Seen = tuple[UUID, int, int]


def pay_for(
    books: Books, holds: Sequence[Seen], window: timedelta, *, instead_of: Collection[UUID] = ()
) -> list[Reservation]:
    """Puts the holds on an order, so that each lasts for `window` at least, once in its life.

    `instead_of` are the holds of the order that this one replaces: those that are not on the new
    one are taken off. Raises `ReservationExpired`, `NotPending`, `BeingPaid`, `QuantityChanged` or
    `PriceChanged`, each with its `hold`; `Reservation.DoesNotExist`.
    """
    found = [_payable(books, hold, instead_of) for hold in holds]
    unhold(books, set(instead_of) - {reservation.id for reservation in found})
    return [books.pay_for(reservation, window) for reservation in found]


def unhold(books: Books, ids: Iterable[UUID]) -> None:
    """Takes those that are still held off their order."""
    for reservation in map(books.reservation, ids):
        if reservation.is_due(books.now):
            books.end(reservation, Reservation.Status.EXPIRED)
        elif reservation.is_pending and reservation.paying_since:
            books.unhold(reservation)


def sell_all(books: Books, lines: Iterable[tuple[UUID, int]]) -> bool:
    """Sells all, if all are live with the quantity of their line; otherwise none, and False."""
    quantities = dict(lines)
    looked_at = [_sellable(books, pk, quantity) for pk, quantity in quantities.items()]
    if not all(looked_at):
        return False
    for pk in quantities:
        books.end(books.reservation(pk), Reservation.Status.CONFIRMED)
    return True


def _payable(books: Books, seen: Seen, instead_of: Collection[UUID]) -> Reservation:
    pk, quantity, unit_paise = seen
    try:
        reservation = books.live(pk)
        if reservation.paying_since and pk not in instead_of:
            raise BeingPaid
        if reservation.quantity != quantity:
            raise QuantityChanged(reservation.quantity)
        if reservation.unit_paise != unit_paise:
            raise PriceChanged(unit_paise, reservation.unit_paise, seen=True)
    except ReservationError as refusal:
        refusal.hold = pk
        raise
    return reservation


def _sellable(books: Books, pk: UUID, quantity: int) -> bool:
    try:
        return books.live(pk).quantity == quantity
    except (ReservationExpired, NotPending):
        return False

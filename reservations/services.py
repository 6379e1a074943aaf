"""The verbs. Each is one transaction (shared with others under load:
`reservations.engine.combining`) and raises a `ReservationError` when it refuses.

`verb(…)` returns the reservation. `verb.once(key, …)` acts at most once per key and returns the
`Reply` that was stored with the effect, final refusals included; it raises only transient
refusals and conflicts.
"""

from collections.abc import Callable
from functools import update_wrapper
from typing import Generic, ParamSpec
from uuid import UUID

from inventory.models import Inventory
from reservations.engine.books import Also
from reservations.engine.commands import (
    Change,
    Command,
    Confirm,
    Expire,
    Holder,
    Release,
    Renew,
    Reserve,
)
from reservations.engine.idempotency import Once, Reply
from reservations.engine.transactions import perform, perform_once
from reservations.exceptions import Busy
from reservations.models import Reservation

Asked = ParamSpec("Asked")


class Verb(Generic[Asked]):
    """Made from the function that puts what was asked into a command."""

    def __init__(self, command: Callable[Asked, Command]) -> None:
        self._command = command
        self.name = command.__name__
        update_wrapper(self, command)

    def __call__(self, *args: Asked.args, **kwargs: Asked.kwargs) -> Reservation:
        return perform(self._command(*args, **kwargs))

    def once(self, once: Once, /, *args: Asked.args, **kwargs: Asked.kwargs) -> Reply:
        return perform_once(self._command(*args, **kwargs), once)


@Verb
def reserve(
    *, product_id: int, warehouse_id: int | None = None, quantity: int, holder: Holder
) -> Command:
    """Holds units for `RESERVATION_TTL_SECONDS`; with no warehouse, where most are available.

    Raises `AlreadyHeld` for another quantity of what the holder holds, `InsufficientStock`,
    `LimitReached`, `Busy`; `Inventory.DoesNotExist` for a product
    that no warehouse, or not this one, knows.
    """
    stocked = Inventory.objects.filter(product=product_id)
    if warehouse_id is not None:
        stocked = stocked.filter(warehouse=warehouse_id)
    rows = tuple(stocked.order_by("warehouse__position", "pk").values_list("pk", flat=True))
    if not rows:
        raise Inventory.DoesNotExist
    return Reserve(rows=rows, quantity=quantity, holder=holder)


@Verb
def reserve_in(*, rows: tuple[int, ...], quantity: int, holder: Holder) -> Command:
    """`reserve`, for callers who know the inventory rows to choose from, by primary key."""
    return Reserve(rows=rows, quantity=quantity, holder=holder)


@Verb
def change(
    *, reservation_id: UUID, quantity: int, seen: int | None = None, cap: int | None = None
) -> Command:
    """Holds `quantity` units, 1 or more, in place of those held, until the same time. With `seen`,
    only if that many are held now; `cap` as of a `Holder`.

    Raises `QuantityChanged`, `ReservationExpired`, `NotPending`, `Busy`; for more units also
    `InsufficientStock`, `LimitReached`, `PriceChanged`.
    """
    if quantity < 1:
        raise ValueError(f"{quantity} units cannot be held")
    # Neither ever changes, so this needs no lock.
    row, network = Reservation.objects.values_list("inventory", "address").get(pk=reservation_id)
    return Change(
        rows=(row,),
        reservation_id=reservation_id,
        quantity=quantity,
        seen=seen,
        holder=Holder("", network, cap),
    )


@Verb
def confirm(*, reservation_id: UUID, seen: int | None = None, also: Also | None = None) -> Command:
    """Sells what is held, if it is as many units as the caller has `seen`; `also` is written with
    the sale, or not at all. Raises `QuantityChanged`, `ReservationExpired`, `NotPending`,
    `Busy`."""
    rows = _rows(reservation_id)
    return Confirm(rows=rows, reservation_id=reservation_id, seen=seen, also=also)


@Verb
def release(*, reservation_id: UUID, seen: int | None = None) -> Command:
    """Frees what is held, if it is as many units as the caller has `seen`; a second release changes
    nothing. Raises `QuantityChanged`, `ReservationExpired`, `NotPending` for a confirmed one,
    `Busy`."""
    return Release(rows=_rows(reservation_id), reservation_id=reservation_id, seen=seen)


@Verb
def renew(*, reservation_id: UUID) -> Command:
    """A fresh `RESERVATION_TTL_SECONDS`, at most `RESERVATION_MAX_RENEWALS` times. Raises
    `LimitReached`, `ReservationExpired`, `NotPending`, `Busy`."""
    return Renew(rows=_rows(reservation_id), reservation_id=reservation_id)


def get(*, reservation_id: UUID) -> Reservation:
    """The reservation with its product and warehouse, expired first if its time has passed.

    Raises `Reservation.DoesNotExist`.
    """
    reservation = Reservation.objects.with_stock().get(pk=reservation_id)
    return expired_if_due([reservation])[0]


def expired_if_due(reservations: list[Reservation]) -> list[Reservation]:
    """The same objects, each expired in the database if its time has passed.

    A row too busy for that is shown as expired all the same: nobody can confirm it any more.
    """
    for reservation in reservations:
        if reservation.is_pending and reservation.past_due:
            _expire(reservation)
    return reservations


def _expire(reservation: Reservation) -> None:
    try:
        now = perform(Expire(rows=(reservation.inventory_id,), reservation_id=reservation.pk))
        reservation.status, reservation.ended_at = now.status, now.ended_at
    except Busy:
        reservation.status = Reservation.Status.EXPIRED


def _rows(reservation_id: UUID) -> tuple[int]:
    """Which row a reservation is of never changes, so this needs no lock."""
    return (Reservation.objects.values_list("inventory", flat=True).get(pk=reservation_id),)

"""The verbs. Each is one transaction (shared with others under load:
`reservations.engine.combining`) and raises a `ReservationError` when it refuses: one of those in
its docstring, `Busy`, or `Storage`. A verb on a reservation that does not exist raises
`Reservation.DoesNotExist`.

`verb(…)` returns the reservation. `verb.once(key, …)` acts at most once per key and returns the
`Reply` that was stored with the effect, or with a final refusal. It raises what is not stored: a
transient refusal, a conflict, or `Storage`.
"""

from collections.abc import Callable
from contextlib import suppress
from functools import update_wrapper
from typing import Generic, ParamSpec
from uuid import UUID

from django.db.models.functions import Now

from allo.postgresql.compiled import Compiled
from inventory.models import Inventory
from reservations.engine.adopting import Adopt, HoldsMore
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
from reservations.engine.transactions import perform, perform_bag, perform_once
from reservations.exceptions import Busy
from reservations.models import Reservation

Params = ParamSpec("Params")

# How often what a visitor holds is read, while that visitor goes on reserving.
ADOPT_TRIES = 3


class Verb(Generic[Params]):
    """Decorates a function that makes the command from the verb's arguments."""

    def __init__(self, command: Callable[Params, Command]) -> None:
        self._command = command
        self.name = command.__name__
        update_wrapper(self, command)

    def __call__(self, *args: Params.args, **kwargs: Params.kwargs) -> Reservation:
        return perform(self._command(*args, **kwargs))

    def once(self, once: Once, /, *args: Params.args, **kwargs: Params.kwargs) -> Reply:
        return perform_once(self._command(*args, **kwargs), once)


@Verb
def reserve_in(*, rows: tuple[int, ...], quantity: int, holder: Holder) -> Command:
    """Holds units for `RESERVATION_TTL_SECONDS` in one of a product's inventory rows, which are
    given by their primary keys: of several, in the one where most are available.

    Raises `AlreadyHeld` if the holder already holds another quantity in any of them, `NotInShop`,
    `NotOpen`, `InsufficientStock`, `WaitingList`, `LimitReached`, `CoolingDown`;
    `Inventory.DoesNotExist` if one of the rows does not exist.
    """
    return Reserve(rows=rows, quantity=quantity, holder=holder)


@Verb
def reserve(
    *, product_id: int, warehouse_id: int | None = None, quantity: int, holder: Holder
) -> Command:
    """`reserve_in` the product's row of this warehouse, or all its rows. Raises
    `Inventory.DoesNotExist` if there is none."""
    stocked = Inventory.objects.filter(product=product_id)
    if warehouse_id is not None:
        stocked = stocked.filter(warehouse=warehouse_id)
    rows = tuple(stocked.order_by("warehouse__position", "pk").values_list("pk", flat=True))
    if not rows:
        raise Inventory.DoesNotExist
    return Reserve(rows=rows, quantity=quantity, holder=holder)


@Verb
def change(
    *,
    reservation_id: UUID,
    quantity: int,
    seen: int | None = None,
    cap: int | None = None,
    others: tuple[str, ...] = (),
    offers: tuple[str, ...] = (),
) -> Command:
    """Changes the held quantity to `quantity` (1 or more), until the same time. With `seen`, only
    if that many are held now; `cap`, `others` and `offers` as in `Holder`.

    Raises `QuantityChanged`, `BeingPaid`, `ReservationExpired`, `NotPending`; for more units also
    `NotInShop`, `NotOpen`, `InsufficientStock`, `WaitingList`, `LimitReached`, `CoolingDown`,
    `PriceChanged`.
    """
    if quantity < 1:
        raise ValueError(f"{quantity} units cannot be held")
    held = _unlocked(reservation_id)
    return Change(
        rows=(held.inventory_id,),
        reservation_ids=(reservation_id,),
        quantity=quantity,
        seen=seen,
        holder=Holder(held.holder, held.address, cap, others, offers),
    )


@Verb
def confirm(*, reservation_id: UUID) -> Command:
    """Sells what is held. Raises `BeingPaid`, `ReservationExpired`, `NotPending`."""
    rows = (_unlocked(reservation_id).inventory_id,)
    return Confirm(rows=rows, reservation_ids=(reservation_id,))


@Verb
def release(*, reservation_id: UUID, seen: int | None = None) -> Command:
    """Frees what is held, if it is as many units as the caller has `seen`. A second release changes
    nothing. Raises `QuantityChanged`, `ReservationExpired`, `NotPending` for a confirmed one."""
    rows = (_unlocked(reservation_id).inventory_id,)
    return Release(rows=rows, reservation_ids=(reservation_id,), seen=seen)


@Verb
def renew(*, reservation_id: UUID) -> Command:
    """Starts `RESERVATION_TTL_SECONDS` anew, at most `RESERVATION_MAX_RENEWALS` times. Raises
    `LimitReached`, `ReservationExpired`, `NotPending`."""
    rows = (_unlocked(reservation_id).inventory_id,)
    return Renew(rows=rows, reservation_ids=(reservation_id,))


def adopt(*, account: str, visitor: str) -> list[Reservation]:
    """Makes what the visitor holds the account's, in one transaction, and notes that the visitor's
    history is the account's too. Both are names of holders. Returns what the account got, which is
    nothing the second time. Raises `Busy` or `Storage`; then nothing has changed.

    What the account holds of the same inventory row already stays the visitor's: see `Adopt`.
    """
    for _ in range(ADOPT_TRIES - 1):
        with suppress(HoldsMore):
            return _adopt(account, visitor)
    return _adopt(account, visitor)


def _adopt(account: str, visitor: str) -> list[Reservation]:
    held = _places_of(visitor)
    bag = perform_bag(
        Adopt(
            rows=tuple(sorted({each.inventory_id for each in held})),
            reservation_ids=tuple(each.pk for each in held),
            account=account,
            visitor=visitor,
        )
    )
    return list(bag.holds)


def get(*, reservation_id: UUID) -> Reservation:
    """The reservation with its product and warehouse. If its time has passed it is expired first.

    Raises `Reservation.DoesNotExist`.
    """
    reservation = _with_stock.first(reservation_id)
    if reservation is None:
        raise Reservation.DoesNotExist
    return expired_if_due([reservation])[0]


def excuse(reservation_id: UUID) -> None:
    """Notes that the provider of payments cannot be reached for a pending reservation: if it ends
    unpaid, that does not count against its holder. Needs no lock of the inventory row, as no number
    of units depends on it."""
    noted = Reservation.objects.pending().filter(pk=reservation_id, provider_failed_at=None)
    noted.update(provider_failed_at=Now())


def _unlocked(reservation_id: UUID) -> Reservation:
    """Its row and network, which never change, so they need no lock, and its holder."""
    reservation = _named.first(reservation_id)
    if reservation is None:
        raise Reservation.DoesNotExist
    return reservation


_ALL = Reservation.objects.order_by()
_with_stock = Compiled(lambda key: _ALL.with_stock().filter(pk=key), UUID)
_places_of = Compiled(lambda name: _ALL.pending_of([name]).only("inventory"), str)
_FIELDS = ("inventory", "address", "holder")
_named = Compiled(lambda key: _ALL.only(*_FIELDS).filter(pk=key), UUID)


def expired_if_due(reservations: list[Reservation]) -> list[Reservation]:
    """The same objects; those whose time has passed are expired in the database.

    If a row is too busy for that, the object shows expired all the same: it cannot be confirmed.
    """
    for reservation in reservations:
        if reservation.is_pending and reservation.past_due:
            _expire(reservation)
    return reservations


def _expire(reservation: Reservation) -> None:
    try:
        now = perform(Expire(rows=(reservation.inventory_id,), reservation_ids=(reservation.pk,)))
        reservation.status, reservation.ended_at = now.status, now.ended_at
    except Busy:
        reservation.status = Reservation.Status.EXPIRED

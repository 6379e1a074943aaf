"""The verbs. Each is one transaction (shared with others under load:
`reservations.engine.combining`) and raises a `ReservationError` when it refuses.

With `once`, a verb takes effect at most once per key, and its outcome, final refusals included, is
the `Answer` that was stored with it; only transient refusals and conflicts are raised then.
"""

from uuid import UUID

from inventory.models import Inventory
from reservations.engine.books import Also
from reservations.engine.commands import Command, Confirm, Expire, Release, Renew, Reserve
from reservations.engine.idempotency import Answer, Once
from reservations.engine.transactions import perform
from reservations.exceptions import Busy
from reservations.models import Reservation


def reserve(
    *,
    product_id: int,
    warehouse_id: int | None = None,
    quantity: int,
    holder: str,
    address: str = "",
    once: Once | None = None,
) -> Reservation | Answer:
    """Holds units for `RESERVATION_TTL_SECONDS`; with no warehouse, where most are available.

    `address` is the network of a holder without account or token, for the limit per address.
    Raises `InsufficientStock`, `LimitReached`, `Busy`; `Inventory.DoesNotExist` for a product
    that no warehouse, or not this one, knows.
    """
    stocked = Inventory.objects.filter(product=product_id)
    if warehouse_id is not None:
        stocked = stocked.filter(warehouse=warehouse_id)
    rows = tuple(stocked.order_by("warehouse__position", "pk").values_list("pk", flat=True))
    if not rows:
        raise Inventory.DoesNotExist
    return reserve_in(rows=rows, quantity=quantity, holder=holder, address=address, once=once)


def reserve_in(
    *,
    rows: tuple[int, ...],
    quantity: int,
    holder: str,
    address: str = "",
    address_cap: int | None = None,
    once: Once | None = None,
) -> Reservation | Answer:
    """`reserve`, for callers who know the inventory rows to choose from, by primary key.

    `address` may hold `address_cap` units; None is what the settings say.
    """
    return perform(
        Reserve(
            rows=rows,
            quantity=quantity,
            holder=holder,
            address=address,
            address_cap=address_cap,
            once=once,
        )
    )


def confirm(
    *, reservation_id: UUID, once: Once | None = None, also: Also | None = None
) -> Reservation | Answer:
    """Sells what is held; `also` is written with the sale, or not at all. Raises
    `ReservationExpired`, `NotPending`, `Busy`."""
    rows = _rows(reservation_id)
    return perform(Confirm(rows=rows, reservation_id=reservation_id, once=once, also=also))


def release(*, reservation_id: UUID, once: Once | None = None) -> Reservation | Answer:
    """Frees what is held; a second release changes nothing. Raises `ReservationExpired`,
    `NotPending` for a confirmed one, `Busy`."""
    return _change(Release, reservation_id, once)


def renew(*, reservation_id: UUID, once: Once | None = None) -> Reservation | Answer:
    """A fresh `RESERVATION_TTL_SECONDS`, at most `RESERVATION_MAX_RENEWALS` times. Raises
    `LimitReached`, `ReservationExpired`, `NotPending`, `Busy`."""
    return _change(Renew, reservation_id, once)


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
        assert isinstance(now, Reservation)
        reservation.status, reservation.ended_at = now.status, now.ended_at
    except Busy:
        reservation.status = Reservation.Status.EXPIRED


def _change(verb: type[Command], reservation_id: UUID, once: Once | None) -> Reservation | Answer:
    return perform(verb(rows=_rows(reservation_id), reservation_id=reservation_id, once=once))


def _rows(reservation_id: UUID) -> tuple[int]:
    """Which row a reservation is of never changes, so this needs no lock."""
    return (Reservation.objects.values_list("inventory", flat=True).get(pk=reservation_id),)

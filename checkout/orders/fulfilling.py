"""The steps of staff with an order: packed, sent parcel by parcel, delivered, refunded.

Each step begins from the state that the person saw. If somebody else was faster, nothing happens,
and `NotThatState` or `LeftChanged` is raised.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID, uuid5

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F, Max, Q, QuerySet
from django.db.models.functions import Now

from checkout import mail
from checkout.events import publish_order
from checkout.exceptions import LeftChanged, NotThatState, RefundedAlready
from checkout.models import Order, OrderEvent, OrderLine, Refund
from checkout.orders import refunding
from inventory.models import Warehouse

State = Order.State
LONGEST_NOTE = 200


@transaction.atomic
def pack(order: Order, *, actor: User, note: str = "") -> None:
    lock(order, State.PAID)
    if not _to_send(order).exists():
        raise NotThatState
    _move(order, State.PAID, State.PACKED)
    _record(order, "pack", actor, note)
    publish_order(order, order.packed_at, "order.packed")


@transaction.atomic
def ship(
    order: Order,
    *,
    warehouse: Warehouse,
    carrier: str,
    tracking: str = "",
    actor: User,
    note: str = "",
) -> None:
    """Sends the parcel of one warehouse: all lines that are kept there. With the last parcel the
    order is shipped. Until then it stays packed, but cannot be cancelled any more. Lines whose
    units were all put back need no parcel."""
    # The lock: of two parcels that are sent at once, the second one sees that it is the last.
    lock(order, State.PACKED)
    here = Q(reservation__inventory__warehouse=warehouse)
    if not _to_send(order).filter(here).exists():
        raise NotThatState
    _send(_unsent(order).filter(here), carrier=carrier, tracking=tracking)
    if not _to_send(order).exists():
        _move(order, State.PACKED, State.SHIPPED)
    _record(order, "ship", actor, _of_parcel(warehouse, note))
    mail.shipped(order, warehouse.code)
    sent_at = order.order_lines.aggregate(at=Max("shipped_at"))["at"]
    publish_order(order, sent_at, "order.shipped")


def was_shipped(
    order: Order, *, warehouse: int, carrier: str, tracking: str, actor: User, note: str
) -> bool:
    """Whether this person sent the parcel so."""
    lines = order.order_lines.filter(
        reservation__inventory__warehouse=warehouse, shipped_at__isnull=False,
        carrier=carrier, tracking=tracking,
    )  # fmt: skip
    line = lines.select_related("reservation__inventory__warehouse").first()
    if line is None:
        return False
    said = _of_parcel(line.reservation.inventory.warehouse, note)
    return order.order_events.filter(what="ship", who=actor, note=said).exists()


def _of_parcel(warehouse: Warehouse, note: str) -> str:
    return f"From {warehouse.name}. {note}".strip()[:LONGEST_NOTE]


def ship_if_all_has_left(order: Order) -> None:
    """Once units were put back, under the order's lock: what has not left may need no parcel any
    more."""
    order.refresh_from_db(fields=["state"])
    left = order.order_lines.filter(shipped_at__isnull=False)
    if order.state == State.PACKED and left.exists() and not _to_send(order).exists():
        _move(order, State.PACKED, State.SHIPPED)
        publish_order(order, order.shipped_at, "order.shipped")


@transaction.atomic
def correct(
    order: Order,
    *,
    warehouse: Warehouse,
    carrier: str,
    tracking: str = "",
    seen_corrections: int,
    actor: User,
    note: str = "",
) -> None:
    """Replaces carrier and number of a parcel that has left, and tells the buyer.
    `seen_corrections` is how often that was done before, as the person saw it."""
    lock(order, State.PACKED, State.SHIPPED)
    if corrections_of(order) != seen_corrections:
        raise NotThatState
    parcel = OrderLine.objects.filter(
        order=order, active=True, shipped_at__isnull=False,
        reservation__inventory__warehouse=warehouse,
    )  # fmt: skip
    wrong = parcel.exclude(carrier=carrier, tracking=tracking)
    if not (before := wrong.first()):
        raise NotThatState
    wrong.update(carrier=carrier, tracking=tracking)
    was = f"{before.carrier} {before.tracking}".strip()
    event = _record(order, "correct", actor, f"From {warehouse.name}: it was {was}. {note}".strip())
    mail.parcel_corrected(order, warehouse.code)
    publish_order(order, event.at)


def corrections_of(order: Order) -> int:
    """How often a parcel of it was corrected."""
    return order.order_events.filter(what="correct").count()


@transaction.atomic
def hand_over(order: Order, *, actor: User, note: str = "") -> None:
    """To a buyer who collects it: sent and delivered in one step. Units that were all put back are
    on sale again, and none of this buyer's."""
    lock(order, State.PACKED)
    if not _to_send(order).exists():
        raise NotThatState
    _send(_unsent(order))
    _move(order, State.PACKED, State.SHIPPED)
    _move(order, State.SHIPPED, State.DELIVERED)
    _record(order, "hand over", actor, note)
    publish_order(order, order.delivered_at, "order.delivered")


@transaction.atomic
def deliver(order: Order, *, actor: User, note: str = "") -> None:
    _move(order, State.SHIPPED, State.DELIVERED)
    _record(order, "deliver", actor, note)
    publish_order(order, order.delivered_at, "order.delivered")


@dataclass(frozen=True, slots=True)
class Part:
    """Money to be refunded: for units of a line, or for the order as a whole."""

    paise: int
    line: OrderLine | None = None
    units: int = 0


@transaction.atomic
def refund(
    order: Order, *, parts: Sequence[Part], seen_left: int, reason: str, actor: User, key: UUID
) -> None:
    """Refunds all the parts, or none. `seen_left` is what could be refunded, in paise, when the
    person decided; `key` is their form's, so that it acts once. Raises `RefundedAlready`,
    `LeftChanged`, `TooMuch`, `NothingToRefund`."""
    # Two people who refund at once wait for each other, so the second one sees the first refund.
    Order.objects.locking().get(pk=order.pk)
    if was_refunded(key):
        raise RefundedAlready
    if (left := refunding.left_of(order)) != seen_left:
        raise LeftChanged(left)
    for number, part in enumerate(parts):
        asked = refunding.refund(
            order, amount=part.paise, line=part.line, units=part.units, reason=reason, actor=actor,
            key=uuid5(key, str(number)),
        )  # fmt: skip
    asked.refresh_from_db(fields=["created_at"])
    publish_order(order, asked.created_at)


def was_refunded(key: UUID) -> bool:
    return Refund.objects.filter(pk=uuid5(key, "0")).exists()


def lock(order: Order, *states: str) -> None:
    """Raises `NotThatState` if it is in none of these."""
    if not list(Order.objects.filter(pk=order.pk, state__in=states).locking()):
        raise NotThatState


def _unsent(order: Order) -> QuerySet[OrderLine]:
    return OrderLine.objects.filter(order=order, active=True, shipped_at=None)


def _to_send(order: Order) -> QuerySet[OrderLine]:
    return _unsent(order).filter(quantity__gt=F("returned_units"))


def _send(lines: QuerySet[OrderLine], **parcel: str) -> None:
    if not lines.update(shipped_at=Now(), **parcel):
        raise NotThatState


def _move(order: Order, before: str, after: str) -> None:
    """A conditional update. It waits for a transaction that is moving the order."""
    seen = Order.objects.filter(pk=order.pk, state=before)
    if not seen.update(state=after, **{f"{after}_at": Now()}):
        raise NotThatState
    order.refresh_from_db()


def _record(order: Order, what: str, actor: User, note: str) -> OrderEvent:
    event = OrderEvent.objects.create(order=order, what=what, who=actor, note=note[:LONGEST_NOTE])
    event.refresh_from_db(fields=["at"])
    return event

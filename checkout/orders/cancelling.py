"""Cancels an order that was sold: its units go back on the shelf, through the ledger."""

import logging
from collections.abc import Collection
from uuid import uuid5

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.db.models.functions import Now

from checkout import mail
from checkout.events import publish_order
from checkout.exceptions import NotThatState
from checkout.models import Order, OrderEvent, OrderLine
from checkout.orders import refunding
from checkout.orders.parcels import RETURNED
from inventory import services
from inventory.adjustments import Adjustment
from inventory.exceptions import AlreadyDone, StockError
from inventory.models import StockMovement
from reservations.engine import locks

logger = logging.getLogger(__name__)


def cancel_lapsed(order: Order) -> bool:
    """The authorisation lapsed before it was captured: nothing was paid. Returns False if its
    stock cannot be changed now."""
    try:
        restock_and_cancel(order, of=(Order.State.PLACED,), note="The bank did not pay")
    except (AlreadyDone, NotThatState):
        return True  # another call did it
    except StockError as refusal:
        logger.warning("order %s is not cancelled: %s", order.number, refusal)
        return False
    return True


@services.refusing_faults()
@transaction.atomic
def cancel(
    order: Order,
    *,
    reason: str,
    actor: User | None = None,
    of: Collection[str] = Order.CANCELLABLE,
) -> None:
    """Before any parcel has left: its units go back on the shelf, and the money that was not
    refunded yet to the buyer. Raises as `restock_and_cancel`."""
    restock_and_cancel(order, of=of, actor=actor, note=reason)
    if left := refunding.left_of(order):
        refunding.refund(order, amount=left, reason=reason, actor=actor)


@services.refusing_faults()
@transaction.atomic
def restock_and_cancel(
    order: Order, *, of: Collection[str], actor: User | None = None, note: str
) -> None:
    """Raises `NotThatState` if the order is in none of the states `of` any more, a parcel has left,
    or units were put back meanwhile; `AlreadyDone` if its units are back already; `Busy`."""
    # The ledger first, as inventory rows are locked before orders. If another transaction changed
    # the order meanwhile, the update below finds that and everything here is rolled back.
    lines = list(order.order_lines.filter(active=True).select_related("reservation"))
    there = [_returned(line, note) for line in lines if line.quantity > line.returned_units]
    services.apply(adjustments=there, actor=actor)
    locks.wait_briefly()
    _lock(order)
    if _returned_units(lines) != {line.pk: line.returned_units for line in lines}:
        raise NotThatState
    left = OrderLine.objects.filter(order=OuterRef("pk"), shipped_at__isnull=False)
    cancelled = Order.objects.filter(~Exists(left), pk=order.pk, state__in=of)
    if not cancelled.update(state=Order.State.CANCELLED, cancelled_at=Now()):
        raise NotThatState
    order.refresh_from_db()
    OrderEvent.objects.create(order=order, what="cancel", who=actor, note=note)
    mail.cancelled(order)
    publish_order(order, order.cancelled_at, "order.cancelled")


def _lock(order: Order) -> None:
    """A statement of its own, before the order is examined: only statements that begin after
    another's commit see the parcel that it sent under the same lock."""
    Order.objects.locking().get(pk=order.pk)


def _returned_units(lines: Collection[OrderLine]) -> dict[int, int]:
    """Under the order's lock."""
    rows = OrderLine.objects.filter(pk__in=[line.pk for line in lines])
    return dict(rows.values_list("pk", "returned_units"))


def _returned(line: OrderLine, note: str) -> Adjustment:
    """What was not put back yet. The reference is derived from the line, so a retry cannot put it
    back twice."""
    return Adjustment(
        inventory_id=line.reservation.inventory_id,
        delta=line.quantity - line.returned_units,
        reason=StockMovement.Reason.RETURNED,
        note=note,
        reference=uuid5(RETURNED, str(line.pk)),
    )

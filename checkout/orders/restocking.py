"""Puts units of an order that were refunded back on the shelf, once they have arrived."""

from collections.abc import Mapping
from uuid import uuid5

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F

from checkout.exceptions import NotThatState
from checkout.models import Order, OrderEvent, OrderLine
from checkout.orders.cancelling import RETURNED
from inventory import services
from inventory.adjustments import Adjustment
from inventory.models import StockMovement

State = Order.State
# Cancelling an order puts its units back itself.
RESTOCKABLE = (State.PAID, State.PACKED, State.SHIPPED, State.DELIVERED)


@transaction.atomic
def restock(order: Order, *, units: Mapping[OrderLine, int], actor: User, note: str = "") -> None:
    """`units` by line, as the lines were read when the person decided. Raises `AlreadyDone` or
    `NotThatState` if somebody put some back or cancelled the order meanwhile, and `Busy`."""
    # The ledger first, as inventory rows are locked before orders.
    services.apply(
        adjustments=[_returned(line, number, note) for line, number in units.items()], actor=actor
    )
    locked = Order.objects.select_for_update(no_key=True).filter(pk=order.pk)
    if not list(locked.filter(state__in=RESTOCKABLE)):
        raise NotThatState
    for line, number in units.items():
        seen = OrderLine.objects.filter(pk=line.pk, returned_units=line.returned_units)
        if not seen.update(returned_units=F("returned_units") + number):
            raise NotThatState
    OrderEvent.objects.create(order=order, what="restock", who=actor, note=note)


def _returned(line: OrderLine, units: int, note: str) -> Adjustment:
    """The reference is derived from what was put back before: of two who saw the same, only one
    acts."""
    return Adjustment(
        inventory_id=line.reservation.inventory_id,
        delta=units,
        reason=StockMovement.Reason.RETURNED,
        note=note,
        reference=uuid5(RETURNED, f"{line.pk}:{line.returned_units}"),
    )

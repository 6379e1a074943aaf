"""Puts units of an order whose money went back on the shelf, once they have arrived."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F, Q

from checkout.exceptions import NotThatState
from checkout.models import Charge, Order, OrderEvent, OrderLine, Refund
from checkout.orders import fulfilling
from checkout.orders.parcels import put_back, reference
from inventory import services
from inventory.adjustments import Adjustment
from inventory.models import StockMovement
from reservations.engine import locks

State = Order.State
# Cancelling an order puts its units back itself.
RESTOCKABLE = (State.PAID, State.PACKED, State.SHIPPED, State.DELIVERED)


@dataclass(frozen=True, slots=True)
class Comeback:
    """A line as the person who decides saw it: `back` of its units are on the shelf again, and
    `most` more may be put there."""

    line: OrderLine
    back: int
    most: int


def comebacks(order: Order) -> list[Comeback]:
    """Of each line, the units that were refunded may be put back. Money of the order that went back
    by amount was for no particular units, so then it is any of a parcel that has left."""
    if order.state not in RESTOCKABLE:
        return []
    taken = Q(charge__order=order, charge__decision=Charge.Decision.TAKE)
    by_amount = Refund.objects.filter(taken, line=None)
    any_unit = by_amount.exclude(state=Refund.State.FAILED).exists()
    lines = list(order.order_lines.all())
    back = put_back(lines)
    return [
        Comeback(line, back[line.pk], max(units - back[line.pk], 0))
        for line in lines
        for units in [line.quantity if any_unit and line.shipped_at else refunded(line)]
    ]


def refunded(line: OrderLine) -> int:
    """How many of its units were refunded."""
    refunds = [refund for refund in line.refunds.all() if refund.state != Refund.State.FAILED]
    return sum(refund.units for refund in refunds)


@services.refusing_faults()
@transaction.atomic
def restock(order: Order, *, units: Mapping[Comeback, int], actor: User, note: str = "") -> None:
    """Raises `AlreadyDone` or `NotThatState` if somebody put some back or cancelled the order
    meanwhile, and `Busy`."""
    # The ledger first, as inventory rows are locked before orders.
    services.apply(
        adjustments=[_returned(comeback, number, note) for comeback, number in units.items()],
        actor=actor,
    )
    locks.wait_briefly()
    fulfilling.lock(order, *RESTOCKABLE)
    for comeback, number in units.items():
        _count(comeback.line, number)
    OrderEvent.objects.create(order=order, what="restock", who=actor, note=note)
    fulfilling.ship_if_all_has_left(order)


def was_restocked(order: Order, *, units: Mapping[int, int], seen: int, actor: User) -> bool:
    """Whether what was put back since `seen` units were is these units of these lines, by this
    person."""
    found = comebacks(order)
    if sum(one.back for one in found) - sum(units.values()) != seen:
        return False
    backs = {one.line.pk: one for one in found}
    last = {
        reference(backs[line].line, backs[line].back - number): number
        for line, number in units.items()
    }
    moves = StockMovement.objects.filter(reference__in=last, actor=actor)
    return dict(moves.values_list("reference", "delta")) == last


def _count(line: OrderLine, number: int) -> None:
    """The line counts those of its units that were refunded; the ledger has all of them."""
    # Less than none if one of them was counted, and its refund failed later.
    counted = max(min(number, refunded(line) - line.returned_units), 0)
    seen = OrderLine.objects.filter(pk=line.pk, returned_units=line.returned_units)
    if counted and not seen.update(returned_units=F("returned_units") + counted):
        raise NotThatState


def _returned(comeback: Comeback, units: int, note: str) -> Adjustment:
    """The reference is derived from what was put back before: of two who saw the same, only one
    acts."""
    return Adjustment(
        inventory_id=comeback.line.reservation.inventory_id,
        delta=units,
        reason=StockMovement.Reason.RETURNED,
        note=note,
        reference=reference(comeback.line, comeback.back),
    )

"""Refunds of a paid order. They are written here, under the order's locks; the clock makes them at
the provider."""

from uuid import UUID, uuid4

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet

from checkout import due
from checkout.exceptions import NothingToRefund, TooMuch
from checkout.models import Charge, Order, OrderEvent, OrderLine, Payment, Refund


@transaction.atomic
def refund(
    order: Order,
    *,
    amount: int,
    reason: str,
    actor: User | None = None,
    line: OrderLine | None = None,
    units: int = 0,
    key: UUID | None = None,
) -> Refund:
    """Writes a refund of `amount` paise, for `units` of a line or for the order as a whole, under
    this key or a new one. Raises `NothingToRefund` if no money of the order was captured, `TooMuch`
    if less is left."""
    # Ranks 4 to 6, so that two refunds at once see each other.
    Order.objects.locking().get(pk=order.pk)
    charge = _taken(order)
    if amount > (left := charge.amount - charge.refunded_paise):
        raise TooMuch(left)
    asked = Refund.objects.create(
        pk=key or uuid4(), charge=charge, amount=amount, reason=reason, actor=actor, line=line,
        units=units,
    )  # fmt: skip
    OrderEvent.objects.create(order=order, what="refund", who=actor, note=reason)
    return asked


def left_of(order: Order) -> int:
    """What can still be refunded, in paise."""
    charge = _captured(order).first()
    return charge.amount - charge.refunded_paise if charge else 0


def _taken(order: Order) -> Charge:
    captured = _captured(order)
    list(Payment.objects.select_for_update(no_key=True).filter(pk__in=captured.values("payment")))
    charge = captured.select_for_update(no_key=True).first()
    if charge is None:
        raise NothingToRefund
    due.now_due(charge.payment_id)
    return charge


def _captured(order: Order) -> QuerySet[Charge]:
    return order.charges.filter(decision=Charge.Decision.TAKE, fact=Charge.Fact.CAPTURED)

"""What every shopper's way to a paid order reads, compiled once."""

from uuid import UUID

from django.db.models import Exists, OuterRef
from django.db.models.functions import Now

from allo.outbox.hooks.writing import wanting
from allo.postgresql.compiled import Compiled
from checkout.due import SOON
from checkout.models import Charge, Order, OrderLine, Payment, Refund

PAID = "order.paid"
_lines = OrderLine.objects.order_by("pk")
_stock = "reservation__inventory"
_charges = Charge.objects.order_by("created_at")
_unsettled = Charge.objects.filter(settled_at=None).order_by("pk")
_taken = Charge.objects.filter(decision=Charge.Decision.TAKE, fact=Charge.Fact.AUTHORISED)
_ending = OrderLine.objects.filter(SOON, order=OuterRef("order"), active=True)
# With a reference, the provider has it already.
_unsent = Refund.objects.filter(state=Refund.State.ASKED, reference=None).order_by("created_at")

numbered = Compiled(lambda number: Order.objects.filter(number=number), str)
lines = Compiled(lambda order: _lines.filter(order=order), UUID)
lines_with_stock = Compiled(
    lambda order: _lines.filter(order=order).select_related(
        f"{_stock}__product__category", f"{_stock}__warehouse"
    ),
    UUID,
)
active_lines = Compiled(
    lambda order: _lines.filter(order=order, active=True).select_related("reservation"), UUID
)
# The latest first.
payments = Compiled(lambda order: Payment.objects.filter(order=order).order_by("-created_at"), UUID)
# By the order's number: its last one.
last_payment = Compiled(
    lambda number: (
        Payment.objects.select_related("order")
        .annotate(ends_soon=Exists(_ending))  # type: ignore[no-redef]
        .filter(order__number=number)
        .order_by("-created_at")[:1]
    ),
    str,
)
payment = Compiled(lambda pk: Payment.objects.select_related("order").filter(pk=pk), UUID)
charges = Compiled(lambda order: _charges.filter(order=order), UUID)
# By payment.
unsettled_charges = Compiled(lambda payment: _unsettled.filter(payment=payment), UUID)
charges_to_capture = Compiled(lambda payment: _taken.filter(payment=payment).order_by("pk"), UUID)
unsent_refunds = Compiled(
    lambda payment: _unsent.filter(charge__payment=payment).select_related("charge"), UUID
)

# These lock, inside a transaction and in this order: ranks 4, 5 and 6
# (`reservations.engine.locks`).
locked_order = Compiled(lambda pk: Order.objects.filter(pk=pk).locking(), UUID)
locked_payment = Compiled(
    lambda pk: (
        Payment.objects.select_for_update(no_key=True)
        .annotate(now=Now(), is_heard=Exists(wanting(PAID)))  # type: ignore[no-redef]
        .filter(pk=pk)
    ),
    UUID,
)
locked_charges = Compiled(
    lambda payment: (
        Charge.objects.select_for_update(no_key=True).filter(payment=payment).order_by("pk")
    ),
    UUID,
)

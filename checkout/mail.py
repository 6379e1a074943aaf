"""The mail that buyers get; its templates are in `templates/mail/`. Each mail is written in the
transaction of its event, once for each event."""

from time import time
from uuid import uuid4

from django.db.models import Q, QuerySet

from allo.codes import services as codes
from allo.outbox import services as outbox
from allo.outbox.addresses import BadAddress
from allo.outbox.kinds import register
from allo.outbox.models import Message
from checkout import letters
from checkout.models import Charge, Order, Refund

LINK_SECONDS = 600


def receipt(order: Order) -> None:
    """P7. Exactly one for each paid order whose buyer gave an address."""
    _write("receipt", order, str(order.pk))


def cancelled(order: Order) -> None:
    _write("order_cancelled", order, str(order.pk))


def shipped(order: Order, parcel: str) -> None:
    """One mail for each parcel, as an order may leave from several warehouses. `parcel` is the code
    of the warehouse."""
    _write("shipped", order, f"{order.pk}:{parcel}", parcel=parcel)


def parcel_corrected(order: Order, parcel: str) -> None:
    """A mail each time that staff correct the carrier or number."""
    _write("parcel_corrected", order, f"{order.pk}:{parcel}:{uuid4()}", parcel=parcel)


def refunded(refund: Refund) -> None:
    charge = refund.charge
    # Money that bought nothing had a mail when it was given back.
    if charge.decision != Charge.Decision.TAKE or _said_by_cancelling(charge):
        return
    _write("refunded", charge.order, str(refund.pk), refund=str(refund.pk))


def _said_by_cancelling(charge: Charge) -> bool:
    """The mail about a cancelled order says what goes back, or that it was never paid. Once a
    refund has failed that is not true any more, so what is refunded then has its own mail."""
    failed = charge.refunds.filter(state=Refund.State.FAILED)
    return charge.order.state == Order.State.CANCELLED and not failed.exists()


def money_comes_back(charge: Charge) -> None:
    """Money that bought nothing: it came late, twice, or was not what was asked for."""
    if charge.provider != "none":
        _write("money_comes_back", charge.order, str(charge.pk), charge=charge.pk)


def order_link(order: Order) -> None:
    """The link to the order; one mail in each `LINK_SECONDS`, so that nobody can fill the buyer's
    mailbox."""
    _write("order_link", order, f"{order.pk}:{int(time()) // LINK_SECONDS}")


def messages_of(order: Order) -> QuerySet[Message]:
    """All mail about the order that is still kept, the latest first."""
    refunds = Refund.objects.filter(charge__order=order).values_list("pk", flat=True)
    charges = order.charges.values_list("pk", flat=True)
    keys = [f"{kind}:{order.pk}" for kind in ("receipt", "order_cancelled")]
    keys += [f"refunded:{pk}" for pk in refunds]
    keys += [f"money_comes_back:{pk}" for pk in charges]
    several = Q(key__in=keys)
    for kind in ("shipped", "parcel_corrected", "order_link"):
        several |= Q(key__startswith=f"{kind}:{order.pk}:")
    return Message.objects.filter(several).order_by("-pk")


def _write(kind: str, order: Order, name: str, **more: object) -> None:
    if not order.email:
        return  # a program ordered without one
    context = {"order": str(order.pk), **more}
    try:
        outbox.put(key=f"{kind}:{name}", kind=kind, to=order.email, context=context)
    except BadAddress:
        # Forms refuse such addresses. If one came by another way it must not stop the payment.
        return


for _kind, _facts in {
    "receipt": letters.of_order,
    "order_cancelled": letters.of_order,
    "shipped": letters.of_parcel,
    "parcel_corrected": letters.of_parcel,
    "refunded": letters.of_refund,
    "money_comes_back": letters.of_charge,
    "order_link": letters.of_order,
    "order_code": codes.facts,
}.items():
    register(_kind, _facts)

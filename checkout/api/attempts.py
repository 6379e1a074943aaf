"""Finds the payment that a request is about: the one under its key, another one of the same order,
or a first one.

The payment's id is stored under the key in the transaction that makes it. A new key makes another
payment of an open order, after the one before is closed, so that at most one can be paid; with
another buyer, it makes another order.
"""

import json
from uuid import UUID

from checkout import closing, settle, tasks
from checkout.api import outcomes
from checkout.api.confirming import Confirming
from checkout.commands import OrderByProgram, PayAgain
from checkout.exceptions import Overtaken
from checkout.models import Order, OrderLine, Payment
from checkout.orders import opening
from checkout.paying import offers_among
from reservations.engine.idempotency import Once, Reply
from reservations.engine.storage import stored_reply
from reservations.engine.transactions import perform_bag, perform_once
from reservations.exceptions import BeingPaid
from reservations.models import Reservation

# How often other requests may change the payment before this one gives up.
ROUNDS = 4

# A payment, and whether an earlier request under the same key made it.
Attempt = tuple[Payment, bool]


def attempt(it: Confirming) -> Attempt | Reply:
    """The request's payment, or the refusal that is stored under its key. Raises a
    `ReservationError` that is not stored, or `ProviderError`."""
    for _ in range(ROUNDS):
        # Before the key is read: if this key opened an order that is found here, the key leads to
        # it, and the order is not mistaken for another request's.
        last = _last_payment(it.found)
        if it.once and (reply := stored_reply(it.once)):
            return _stored(reply)
        try:
            return _next(it, last) if last else _first(it)
        except Overtaken:
            continue
    raise BeingPaid


def _last_payment(found: Reservation) -> Payment | None:
    """The last payment of the open order that the reservation is on."""
    lines = OrderLine.objects.filter(reservation=found, active=True)
    orders = Order.objects.filter(pk__in=lines.values("order"), state=Order.State.OPEN)
    payments = Payment.objects.filter(order__in=orders).select_related("order")
    return payments.order_by("-created_at").first()


def _first(it: Confirming) -> Attempt | Reply:
    draft = it.draft()
    offers = offers_among(it.request, [it.found])
    command = opening.order_by_program(draft, it.found, offers)
    return _made(command, draft.payment_id, it.once_for(draft.payment_id))


def _next(it: Confirming, last: Payment) -> Attempt | Reply:
    """Another payment of the order, or the last one for a retry without a key."""
    if not last.order.by_program:
        raise BeingPaid
    if it.said.get("buyer") and it.buyer != opening.buyer_of(last.order):
        _drop(last)
        raise Overtaken
    if it.once is None and _goes_on(it, last):
        return last, False
    _end(last)
    command = opening.pay_again(last, it.found)
    return _made(command, command.payment_id, it.once_for(command.payment_id))


def _made(
    command: OrderByProgram | PayAgain, payment_id: UUID, once: Once | None
) -> Attempt | Reply:
    if once:
        return _stored(perform_once(command, once))
    perform_bag(command)
    return _payment(payment_id), False


def _stored(reply: Reply) -> Attempt | Reply:
    """A stored refusal is the answer, as is a reply from before there were orders."""
    payment_id = json.loads(reply.body).get("payment")
    return (_payment(payment_id), reply.replayed) if payment_id else reply


def _payment(pk: UUID | str) -> Payment:
    return Payment.objects.select_related("order").get(pk=pk)


def _goes_on(it: Confirming, last: Payment) -> bool:
    """Whether it can still be paid in the way that this request asks for. A payment that was
    declined or missed cannot."""
    if last.closed_at or last.given_up_at:
        return False
    if last.session_ref is None:
        return not closing.is_missed(last)
    method = it.method_for(last)
    if method is None:
        return bool(last.url)
    return not last.url and not outcomes.is_declined(last, method)


def _drop(last: Payment) -> None:
    """Ends the order, which is for another buyer than this request, unless it was paid meanwhile.
    The next round opens one for this buyer: an order's buyer never changes."""
    _end(last)
    opening.drop(last.order)
    tasks.ask_to_settle(last.pk)


def _end(last: Payment) -> None:
    """Makes sure that nobody can pay it any more; if it was paid, the order is sold. A payment that
    was not opened at the provider is closed under the locks that make the next one."""
    if last.session_ref:
        closing.close(last)
        settle.settle(last.pk)

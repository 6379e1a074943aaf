"""Settles payments. A webhook, a return address and the clock all mean the same: look at this one.

1. Look at the provider: without a lock or a transaction, with a time limit.
2. Decide, in one transaction of the engine: the money is taken and everything is sold, or it is
   given back.
3. Record what was seen: what became of charges and refunds, and with that of the order.
4. Follow: capture (and record that), void, refund. Each call is keyed and can be repeated.
5. Look again until there is nothing to do.

A process may die between any two steps: the next look goes on from what is recorded.
"""

import logging
from uuid import UUID

from checkout import closing, due, recording
from checkout.models import Charge, Order, Payment, Refund
from checkout.orders import opening, reading
from checkout.orders.cancelling import cancel_lapsed
from checkout.payments.base import Fact, Money, Provider, Refused, Seen, SessionState
from checkout.payments.providers import provider
from reservations.exceptions import Busy

logger = logging.getLogger(__name__)

# What is voided or refunded is seen by the next look.
MOST_LOOKS = 5
# The address to pay at was given to nobody.
NEVER_OPENED = Seen(session=SessionState.EXPIRED, money=())


def settle(payment_id: UUID) -> Order:
    """Returns the order as it is afterwards. Raises `ProviderError` if the provider cannot be
    reached; then, and if the database is too busy to decide, the clock looks again."""
    for _ in range(MOST_LOOKS):
        (payment,) = reading.payment(payment_id)
        seen = _look(payment)
        decided = _decide(payment, seen)
        order = recording.record(payment, seen)
        if captured := _capture(payment):
            order = recording.record(payment, seen.now(captured))
        if not _follow(payment, order, seen) and decided:
            break
    return order


def _look(payment: Payment) -> Seen:
    if payment.session_ref is None:
        return NEVER_OPENED
    return provider(payment.provider).look(payment.pk, payment.session_ref)


def _decide(payment: Payment, seen: Seen) -> bool:
    """False if others keep what has to be locked: what was seen is still there at the next look."""
    order = payment.order
    known = set(Charge.objects.filter(order=order).values_list("reference", flat=True))
    secured = [money for money in seen.money if money.fact is not Fact.VOID]
    try:
        if new := tuple(money for money in secured if money.reference not in known):
            opening.decide_about(payment, new)
        elif order.state == Order.State.OPEN and _a_hold_ended(order):
            opening.drop(order, if_dead=True)
    except Busy:
        return False
    return True


def _a_hold_ended(order: Order) -> bool:
    return order.order_lines.filter(due.ENDED, active=True).exists()


def _capture(payment: Payment) -> list[Money]:
    """Captures what is taken; returns what the provider says of it, so that it need not be looked
    at again."""
    captured = []
    for charge in reading.charges_to_capture(payment.pk):
        try:
            # P4. The decision is committed: it was read in a transaction of its own.
            captured.append(provider(payment.provider).capture(charge.reference, charge.amount))
        except Refused as refusal:
            # It lapsed, or was voided there: the next look says which.
            logger.warning("charge %d: %s", charge.pk, refusal)
    return captured


def _follow(payment: Payment, order: Order, seen: Seen) -> bool:
    """Whether something was done, or refused, so that it is worth to look again."""
    bank = provider(payment.provider)
    acted = _close(payment, order, seen)
    for charge in reading.unsettled_charges(payment.pk):
        acted |= _follow_charge(bank, charge, order)
    for refund in reading.asked_refunds(payment.pk):
        acted |= _refund(bank, refund)
    return acted


def _close(payment: Payment, order: Order, seen: Seen) -> bool:
    """Nobody should pay for an order that is dropped, or whose holds are about to end; nor what was
    given up."""
    if seen.session is not SessionState.OPEN or payment.session_ref is None:
        return False
    if order.state == Order.State.OPEN and not (payment.given_up_at or due.is_about_to_end(order)):
        return False
    closing.close(payment)
    return True


def _follow_charge(bank: Provider, charge: Charge, order: Order) -> bool:
    taken = charge.decision == Charge.Decision.TAKE
    if charge.fact == Fact.VOID and taken and order.state == Order.State.PLACED:
        cancel_lapsed(order)
        return True
    if charge.fact != Fact.AUTHORISED:
        return False
    if not taken:
        try:
            bank.void(charge.reference)
        except Refused as refusal:
            # It lapsed, or was captured or voided there: the next look says which.
            logger.warning("charge %d: %s", charge.pk, refusal)
    return True


def _refund(bank: Provider, refund: Refund) -> bool:
    try:
        returned = bank.refund(refund.charge.reference, refund.pk, refund.amount)
    except Refused as refusal:
        logger.warning("refund %s: %s", refund.pk, refusal)
        recording.refund_failed(refund)
        return True
    return recording.refund_is(refund, returned)

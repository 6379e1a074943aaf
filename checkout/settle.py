"""Settles payments. A webhook, a return address and the clock all mean the same: look at this one.

1. Look at the provider: without a lock or a transaction, with a time limit.
2. Decide, in one transaction of the engine: the money is taken and everything is sold, or it is
   given back.
3. Capture what is taken.
4. Record what was seen and captured: what became of charges and refunds, and with that of the
   order.
5. Follow: void, refund. Each call can be repeated.
6. Look again until there is nothing to do.

A process may die between any two steps: the next look goes on from what is recorded.
"""

import logging
from collections.abc import Iterator
from contextlib import suppress
from uuid import UUID

from checkout import closing, due, recording
from checkout.excuse import excused
from checkout.models import Charge, Order, Payment, Refund
from checkout.orders import opening, reading
from checkout.orders.cancelling import cancel_lapsed
from checkout.payments.base import (
    Fact,
    Money,
    Provider,
    ProviderError,
    Refused,
    Seen,
    SessionState,
)
from checkout.payments.providers import provider
from checkout.recording import Recorded
from reservations.exceptions import Busy

logger = logging.getLogger(__name__)

# The next look sees what is voided or refunded.
MOST_LOOKS = 5
# Nobody was given the address to pay at.
NEVER_OPENED = Seen(session=SessionState.EXPIRED, money=())


def settle(payment_id: UUID) -> Order:
    """Returns the order as it is afterwards. Raises `ProviderError` if the provider cannot be
    reached. Then, and if the database is too busy to decide, the clock looks again."""
    (payment,) = reading.payment(payment_id)
    return settle_read(payment)


def settle_read(payment: Payment) -> Order:
    """`settle`, of a payment that was just read with its order."""
    for _ in range(MOST_LOOKS):
        seen = _look(payment)
        decided = _decide(payment, seen)
        recorded = _capture_and_record(payment, seen)
        if not _follow(payment, recorded, seen) and decided:
            break
        (payment,) = reading.payment(payment.pk)
    return recorded.order


def _look(payment: Payment) -> Seen:
    if payment.session_ref is None:
        return NEVER_OPENED
    try:
        with excused(payment.order):
            return provider(payment.provider).look(payment.pk, payment.session_ref)
    except ProviderError:
        # Nothing can be sold any more, whatever the provider will say. It may never answer again.
        with suppress(Busy):
            _drop_if_dead(payment.order)
        raise


def _decide(payment: Payment, seen: Seen) -> bool:
    """False if other transactions keep the locks: the next look sees the same money."""
    order = payment.order
    secured = [money for money in seen.money if money.fact is not Fact.VOID]
    known = {charge.reference for charge in reading.charges(order.pk)} if secured else ()
    try:
        if new := tuple(money for money in secured if money.reference not in known):
            opening.decide_about(payment, new)
        else:
            _drop_if_dead(order)
    except Busy:
        return False
    return True


def _drop_if_dead(order: Order) -> None:
    ended = order.order_lines.filter(due.ENDED, active=True)
    if order.state == Order.State.OPEN and ended.exists():
        opening.drop(order, if_dead=True)


def _capture_and_record(payment: Payment, seen: Seen) -> Recorded:
    """In one transaction: what was seen, and what was captured since; if the provider cannot be
    reached any more, what was captured until then."""
    captured: list[Money] = []
    try:
        captured.extend(_captured(payment, seen))
    finally:
        recorded = recording.record(payment, seen.now(captured))
    return recorded


def _captured(payment: Payment, seen: Seen) -> Iterator[Money]:
    """Captures what is taken; yields the provider's answers, which save another look."""
    waits = {money.reference for money in seen.money if money.fact is Fact.AUTHORISED}
    for charge in reading.charges_to_capture(payment.pk) if waits else ():
        if charge.reference not in waits:
            continue
        try:
            # P4. The decision is committed: a transaction of its own has read it.
            yield provider(payment.provider).capture(charge.reference, charge.amount)
        except Refused as refusal:
            # It lapsed, or was voided at the provider: the next look sees which.
            logger.warning("charge %d: %s", charge.pk, refusal)


def _follow(payment: Payment, recorded: Recorded, seen: Seen) -> bool:
    """Whether something was done or refused, so that another look is worth it."""
    bank, order = provider(payment.provider), recorded.order
    acted = _close(payment, order, seen)
    if not recorded.money_moves:
        return acted
    for charge in reading.unsettled_charges(payment.pk):
        acted |= _follow_charge(bank, charge, order)
    for refund in reading.unsent_refunds(payment.pk):
        acted |= _refund(bank, refund)
    return acted


def _close(payment: Payment, order: Order, seen: Seen) -> bool:
    """Closes a payment whose order is dropped, whose holds are about to end, or that was given up,
    so that nobody pays it."""
    if seen.session is not SessionState.OPEN or payment.session_ref is None:
        return False
    if order.state == Order.State.OPEN and not (payment.given_up_at or due.is_about_to_end(order)):
        return False
    closing.close(payment)
    return True


def _follow_charge(bank: Provider, charge: Charge, order: Order) -> bool:
    taken = charge.decision == Charge.Decision.TAKE
    if charge.fact == Fact.VOID and taken and order.state == Order.State.PLACED:
        return cancel_lapsed(order)
    if charge.fact != Fact.AUTHORISED:
        return False
    if not taken:
        try:
            bank.void(charge.reference)
        except Refused as refusal:
            # It lapsed, or was captured or voided at the provider: the next look sees which.
            logger.warning("charge %d: %s", charge.pk, refusal)
    return True


def _refund(bank: Provider, refund: Refund) -> bool:
    try:
        seen = bank.refund(refund.charge.reference, refund.pk, refund.amount)
    except Refused as refusal:
        logger.warning("refund %s: %s", refund.pk, refusal)
        recording.refund_failed(refund)
        return True
    return recording.refund_is(refund, seen)

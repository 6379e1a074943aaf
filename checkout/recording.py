"""Records what was seen at a provider: facts about money, and what follows for the order.

Locks are of ranks 4 to 7 (`reservations.engine.locks`), in their order: the order, the payment, its
charges, the counter of invoices. No stock or reservation is locked after them.
"""

from datetime import datetime
from typing import NamedTuple

from django.conf import settings
from django.db import transaction
from django.db.models import Count, F, Max

from allo.postgresql import trips
from allo.postgresql.compiled import together
from allo.postgresql.rows import write
from checkout import due, mail
from checkout.events import publish_order, tell
from checkout.models import Charge, Order, Payment, Refund
from checkout.orders import reading, serials
from checkout.payments.base import Fact, Money, RefundSeen, RefundState, Seen


class Recorded(NamedTuple):
    """The order as it is now, and whether money is on its way or still to be decided about."""

    order: Order
    money_moves: bool


@transaction.atomic
def record(payment: Payment, seen: Seen) -> Recorded:
    """Writes what is new, and when to look again."""
    (order,), (payment,), charges = together(
        (reading.locked_order, payment.order_id),
        (reading.locked_payment, payment.pk),
        (reading.locked_charges, payment.pk),
    )
    money = {each.reference: each for each in seen.money}
    for charge in charges:
        if charge.reference in money:
            _see(charge, money[charge.reference])
        _give_back(charge, payment.now)
    # All payments of a year wait for its counter, so it is the last lock.
    with trips.unanswered():
        for charge in charges:
            _pay(order, charge, payment)
            _settle(order, charge, payment.now)
        money_moves = due.put_off(payment, order, charges, seen)
    return Recorded(order, money_moves)


@transaction.atomic
def refund_is(refund: Refund, seen: RefundSeen) -> bool:
    """Moves the refund to the state that the provider reports; returns whether that is new."""
    state = seen.state
    if state is RefundState.ASKED:
        Refund.objects.filter(pk=refund.pk, reference=None).update(reference=seen.reference)
        return False
    if state == refund.state:
        return False
    _lock_charge_of(refund)
    # Only forward: another look may have seen a later state.
    forward = Refund.objects.filter(pk=refund.pk).exclude(state__in=(state, Refund.State.FAILED))
    moved = forward.update(state=state, reference=seen.reference)
    if moved and state is RefundState.DONE:
        mail.refunded(refund)
        _tell_refunded(refund)
    return bool(moved)


def _tell_refunded(refund: Refund) -> None:
    """Only for refunds of the order's own money, and not for money that bought nothing."""
    if refund.charge.decision == Charge.Decision.TAKE:
        tell(refund.charge.order, "order.refunded")


@transaction.atomic
def refund_failed(refund: Refund) -> None:
    """The provider refuses it for good."""
    _lock_charge_of(refund)
    asked = Refund.objects.filter(pk=refund.pk, state=Refund.State.ASKED)
    asked.update(state=Refund.State.FAILED, tries=F("tries") + 1)


def _lock_charge_of(refund: Refund) -> None:
    """A charge is locked before its refunds, as the trigger that sums these locks it; and the order
    before both, as its events are numbered in the order of their commits."""
    reading.locked_order(refund.charge.order_id)
    Charge.objects.select_for_update(no_key=True).get(pk=refund.charge_id)


def _see(charge: Charge, money: Money) -> None:
    new: dict[str, object] = {}
    if charge.fact == Fact.AUTHORISED and money.fact != Fact.AUTHORISED:
        new["fact"] = money.fact
    if money.disputed_at and not charge.disputed_at:
        new["disputed_at"] = money.disputed_at
    if new:
        write(charge, **new)
    for seen in money.refunds:
        _see_refund(charge, seen)
    if money.refunds:
        charge.refresh_from_db()


def _see_refund(charge: Charge, seen: RefundSeen) -> None:
    known = Refund.objects.filter(charge=charge)
    ours = known.filter(pk=seen.refund_id) if seen.refund_id else None
    refund = (ours or known.filter(reference=seen.reference)).first()
    if refund:
        refund_is(refund, seen)
    elif seen.state is not RefundState.FAILED:
        _made_there(charge, seen)


def _made_there(charge: Charge, seen: RefundSeen) -> None:
    """Records a refund that was made at the provider. If it leaves too little money for those that
    the provider does not have yet, it would refuse these: they have failed."""
    charge.refresh_from_db()
    if charge.refunded_paise + seen.amount > charge.amount:
        unsent = Refund.objects.filter(charge=charge, state=Refund.State.ASKED, reference=None)
        unsent.update(state=Refund.State.FAILED)
    made = Refund.objects.create(
        charge=charge,
        amount=seen.amount,
        reason="Made at the provider",
        state=seen.state,
        reference=seen.reference,
    )
    if seen.state is RefundState.DONE:
        mail.refunded(made)
        _tell_refunded(made)


def _give_back(charge: Charge, now: datetime) -> None:
    """Money that bought nothing is refunded whole. The refund is written in the transaction that
    records the money as captured; the next step sends it."""
    left = due.left_to_refund(charge)
    if left and _is_time_to_refund(charge, now):
        Refund.objects.create(charge=charge, amount=left, reason="It bought nothing")
        mail.money_comes_back(charge)
        charge.refresh_from_db()


def _is_time_to_refund(charge: Charge, now: datetime) -> bool:
    """The second try is made at once, the others after longer and longer pauses."""
    failed = charge.refunds.filter(state=Refund.State.FAILED)
    tries, last = failed.aggregate(tries=Count("pk"), last=Max("created_at")).values()
    waits: bool = tries >= 2 and now < last + due.pause_after(tries - 2)
    return tries < due.MOST_REFUNDS and not waits


def _pay(order: Order, charge: Charge, payment: Payment) -> None:
    taken = charge.decision == Charge.Decision.TAKE and charge.fact == Fact.CAPTURED
    if not taken or order.state != Order.State.PLACED:
        return
    write(order, state=Order.State.PAID, paid_at=payment.now)
    # P7. In the transaction of the move to `paid`.
    mail.receipt(order)
    publish_order(order, payment.now, reading.PAID if payment.is_heard else "")
    if settings.SELLER_GSTIN:
        serials.give_number(order)


def _settle(order: Order, charge: Charge, now: datetime) -> None:
    """Its money is where it belongs, so nothing is left to do."""
    if charge.settled_at:
        return
    if charge.decision == Charge.Decision.TAKE:
        settled = order.state not in (Order.State.OPEN, Order.State.PLACED)
    else:
        asked = charge.refunds.filter(state=Refund.State.ASKED).exists()
        is_back = charge.refunded_paise == charge.amount and not asked
        settled = charge.fact == Fact.VOID or (charge.fact == Fact.CAPTURED and is_back)
    if settled:
        write(charge, settled_at=now)

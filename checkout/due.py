"""When to look at a payment again, and which ones the clock looks at now."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Exists, F, Min, OuterRef, Q
from django.db.models.functions import Now

from allo.postgresql.compiled import Compiled
from allo.postgresql.rows import write
from checkout.models import Charge, Order, OrderLine, Payment, Refund
from checkout.payments.base import Fact, Hint, Seen, SessionState

FIRST_PAUSE, LONGEST_PAUSE = 5, 3600
# From this long before the first hold ends, nobody can begin to pay: what was begun before can
# still arrive in time.
CLOSE_BEFORE = timedelta(seconds=20)
# Money may still appear after a payment has ended, for example from a slow bank.
LOOK_BACK = timedelta(days=5)
# How often the refund of money that bought nothing is tried. With the pauses between the tries that
# takes a day; then staff have to act.
MOST_REFUNDS = 33

ENDED = Q(reservation__ended_at__isnull=False) | Q(reservation__expires_at__lte=Now())


def pause_after(looks: int) -> timedelta:
    return timedelta(seconds=min(FIRST_PAUSE * 2 ** min(looks, 20), LONGEST_PAUSE))


def put_off(payment: Payment, order: Order, charges: Sequence[Charge], seen: Seen) -> bool:
    """Writes when to look again, and closes a payment to which nothing more can happen. Returns
    whether money is on its way. The caller has locked these rows."""
    money_moves = _money_moves(charges, seen)
    if not payment.closed_at and not money_moves and _is_over(payment, order, seen):
        payment.closed_at = payment.now
    look_at = _next_look(payment, order, payment.now, money_moves=money_moves)
    write(payment, closed_at=payment.closed_at, look_at=look_at)
    return money_moves


def chosen(limit: int) -> list[Payment]:
    """The payments that are due: their time has come, or a hold of their order was ended early.
    Closed ones last, which nobody waits for; otherwise the soonest end first."""
    dead = OrderLine.objects.filter(ENDED, order=OuterRef("pk"), active=True)
    died = Order.objects.filter(Exists(dead), state=Order.State.OPEN)
    # Two queries, each by its own index: with an OR PostgreSQL would read all payments ever made.
    due = Payment.objects.filter(look_at__lte=Now()).values("pk")
    either = due.union(Payment.objects.filter(order__in=died).values("pk"), all=True)
    closed_last = (F("closed_at").asc(nulls_first=True), "expires_at")
    return list(Payment.objects.filter(pk__in=either).order_by(*closed_last)[:limit])


def claim(payment: Payment) -> bool:
    """Writes the next time before it is looked at, so that only one of two clocks looks, and a
    provider that is down is asked more and more rarely."""
    mine = Payment.objects.filter(pk=payment.pk, looks=payment.looks, look_at=payment.look_at)
    later = Now() + pause_after(payment.looks)
    return bool(mine.update(looks=F("looks") + 1, look_at=later))


def now_due(payment_id: UUID) -> None:
    """Makes it due: something may have happened at the provider."""
    Payment.objects.filter(pk=payment_id).update(look_at=Now(), looks=0)


def hinted(hint: Hint) -> UUID | None:
    """Makes the payment due that a webhook is about, and returns it. For money that was not seen
    yet, that is a payment at which the clock still looks."""
    seen = Charge.objects.filter(reference=hint.reference).values_list("payment", flat=True)
    payment_id = hint.payment_id or (seen.first() if hint.reference else None)
    if payment_id:
        now_due(payment_id)
    return payment_id


SOON = ENDED | Q(reservation__expires_at__lte=Now() + CLOSE_BEFORE)
_ending = Compiled(lambda order: OrderLine.objects.filter(SOON, order=order, active=True), UUID)


def is_about_to_end(order: Order) -> bool:
    """Whether one of its holds ends within moments, or has ended."""
    return bool(_ending(order.pk))


def left_to_refund(charge: Charge) -> int:
    """What is left of captured money that bought nothing, in paise."""
    bought_nothing = charge.decision == Charge.Decision.GIVE_BACK and charge.fact == Fact.CAPTURED
    return charge.amount - charge.refunded_paise if bought_nothing else 0


def _is_over(payment: Payment, order: Order, seen: Seen) -> bool:
    if payment.session_ref is None:
        return order.state != Order.State.OPEN
    return seen.session is not SessionState.OPEN


def _money_moves(charges: Sequence[Charge], seen: Seen) -> bool:
    """Whether money is on its way, in either direction, waits for another try to return it, or is
    still to be decided about, as when others keep what has to be locked for the decision."""
    settled = {charge.reference: charge.settled_at for charge in charges}
    undecided = (m for m in seen.money if m.fact is not Fact.VOID and m.reference not in settled)
    # What was asked for counts as refunded.
    refunded = [charge.pk for charge in charges if charge.refunded_paise]
    asked = Refund.objects.filter(charge__in=refunded, state=Refund.State.ASKED)
    if not all(settled.values()) or any(undecided) or (refunded and asked.exists()):
        return True
    return any(map(_waits_for_a_try, charges))


def _waits_for_a_try(charge: Charge) -> bool:
    """Its refund failed, perhaps long after it was done."""
    failed = charge.refunds.filter(state=Refund.State.FAILED)
    return left_to_refund(charge) > 0 and failed.count() < MOST_REFUNDS


def _next_look(
    payment: Payment, order: Order, now: datetime, *, money_moves: bool
) -> datetime | None:
    if payment.closed_at and not money_moves and order.state != Order.State.OPEN:
        again = now + timedelta(seconds=LONGEST_PAUSE)
        return again if again < payment.closed_at + LOOK_BACK else None
    again = now + pause_after(payment.looks)
    if order.state != Order.State.OPEN:
        return again
    first = order.order_lines.filter(active=True).aggregate(at=Min("reservation__expires_at"))["at"]
    ahead = [at for at in (first - CLOSE_BEFORE, first) if now < at < again]
    return min(ahead, default=again)

"""Money that goes back to a buyer, as pages and mail describe it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from catalog.templatetags.money import inr
from checkout.models import Charge, Order, Refund


@dataclass(frozen=True, slots=True)
class Moved:
    """What became of money: `kind` is a code, for which pages have a sentence."""

    kind: str
    amount: int
    currency: str
    at: datetime

    @property
    def shown(self) -> str:
        return worth(self.amount, self.currency)


def moves_of(charge: Charge) -> Iterator[Moved]:
    if charge.provider == "none":
        yield from _on_delivery(charge)
        return
    taken = charge.decision == Charge.Decision.TAKE
    if charge.fact == Charge.Fact.VOID or (not taken and charge.fact == Charge.Fact.AUTHORISED):
        kind = "released" if charge.fact == Charge.Fact.VOID else "reserved"
        if kind == "released" and not taken and charge.order.placed_at:
            kind = "released_second"
        yield Moved(kind, charge.amount, charge.currency, charge.created_at)
        return
    refunds = charge.refunds.all() if charge.refunded_paise else ()
    for refund in refunds:
        if refund.state == Refund.State.FAILED:
            continue
        done = refund.state == Refund.State.DONE
        kind = ("refunded" if taken else "back") if done else "on_its_way"
        yield Moved(kind, refund.amount, charge.currency, refund.done_at or refund.created_at)
    left = charge.amount - charge.refunded_paise
    if not taken and left:
        yield Moved("to_go_back", left, charge.currency, charge.created_at)


def _on_delivery(charge: Charge) -> Iterator[Moved]:
    """What is refunded of what is paid on delivery: less to pay, or given back if it was paid."""
    taken = charge.decision == Charge.Decision.TAKE
    if not taken or not charge.refunded_paise or (order := charge.order).cancelled_at:
        return
    for refund in charge.refunds.all():
        at = refund.created_at
        if refund.state != Refund.State.FAILED:
            kind = "given_back" if was_paid_before(refund, order) else "less"
            yield Moved(kind, refund.amount, charge.currency, at)


def was_paid_before(refund: Refund, order: Order) -> bool:
    """Of an order that is paid on delivery: what was refunded before that was never paid."""
    return bool(order.delivered_at and order.delivered_at < refund.created_at)


def worth(amount: int, currency: str) -> str:
    return inr(amount) if currency == "INR" else f"{currency} {amount / 100:,.2f}"

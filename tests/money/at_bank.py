"""What became of orders' money, by the bank's own books."""

from collections.abc import Iterable, Iterator
from typing import Any

from django.db.models import Sum

from checkout.models import Charge, Order, Refund
from tests.bank import BankProcess

Row = dict[str, Any]


def astray(bank: BankProcess, orders: Iterable[Order]) -> list[str]:
    """P4 and P6: the money that is not where it belongs once there is nothing left to do."""
    sessions = bank.books("session")
    return [fault for order in orders for fault in _faults(bank, order, sessions)]


def _faults(bank: BankProcess, order: Order, sessions: list[Row]) -> Iterator[str]:
    """Sessions are found by the order's number: one may be open whose reference was lost."""
    mine = [row["id"] for row in sessions if row["reference"] == order.number]
    for intent in (intent for pk in mine for intent in bank.books("intent", session=pk)):
        charge = Charge.objects.filter(reference=intent["id"]).first()
        taken = charge if charge and charge.decision == Charge.Decision.TAKE else None
        (kept, expected) = net_of(bank, intent["id"]), _left_of(taken)
        name = f"{order.number} ({order.state}): {intent['id']}"
        if intent["status"] == "requires_capture":
            yield f"{name} is still held"
        if kept != expected:
            yield f"{name} kept {kept}, not {expected}"
        if not taken and "captured" in _what(bank, intent["id"]) and _method(bank, intent) != "upi":
            yield f"{name} was captured before it was decided about"


def net_of(bank: BankProcess, intent: str) -> int:
    """What the shop has of it."""
    captured = sum(int(row["captured"]) for row in bank.books("charge", intent=intent))
    refunds = bank.books("refund", intent=intent)
    return captured - sum(int(row["amount"]) for row in refunds if row["status"] == "succeeded")


def _left_of(taken: Charge | None) -> int:
    if taken is None or taken.fact != Charge.Fact.CAPTURED:
        return 0
    done = taken.refunds.filter(state=Refund.State.DONE).aggregate(paise=Sum("amount"))["paise"]
    return taken.amount - (done or 0)


def _what(bank: BankProcess, intent: str) -> set[str]:
    return {what for what, _ in bank.moves(intent)}


def _method(bank: BankProcess, intent: Row) -> str:
    return str(bank.books("charge", intent=intent["id"])[0]["method"])

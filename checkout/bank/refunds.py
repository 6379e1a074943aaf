"""What may happen to money that was captured. Each function is part of a transaction."""

from checkout.bank.bank import Bank
from checkout.bank.books import Row
from checkout.bank.hooks import announce
from checkout.bank.intents import enter
from checkout.bank.objects import dispute_of, refund_of
from checkout.bank.problems import invalid

# What becomes of the next refund while a fault is set, and how each is announced and entered.
FAULTS = {"fail_next_refund": "failed", "delay_next_refund": "pending"}
MADE = {
    "succeeded": ("refund.created", "refunded"),
    "pending": ("refund.created", "refund pending"),
    "failed": ("refund.failed", "refund failed"),
}


def refund(bank: Bank, intent: Row, amount: int | None, metadata: dict[str, str]) -> Row:
    if intent["status"] != "succeeded":
        raise invalid(f"This PaymentIntent ({intent['id']}) has no successful charge to refund.")
    charge = bank.books.get("charge", intent["charge"])
    left = charge["captured"] - returned(bank, charge)
    if not left:
        raise invalid(
            f"Charge {charge['id']} has already been refunded.", "charge_already_refunded"
        )
    if not 0 < (amount or left) <= left:
        raise invalid(f"Refund amount is greater than what is left ({left}).", "amount_too_large")
    made = bank.books.add(
        "refund",
        intent=intent["id"],
        charge=charge["id"],
        amount=amount or left,
        currency=charge["currency"],
        status=_next_status(bank),
        metadata=metadata,
    )
    event, what = MADE[made["status"]]
    announce(bank, event, refund_of(made))
    enter(bank, intent, what, made["amount"])
    return made


def _next_status(bank: Bank) -> str:
    for fault, status in FAULTS.items():
        if bank.books.fault(fault):
            bank.books.set_fault(fault, None)
            return status
    return "succeeded"


def finish_refund(bank: Bank, made: Row) -> Row:
    if made["status"] != "pending":
        raise invalid("This refund is not pending.")
    made = bank.books.change("refund", made["id"], status="succeeded")
    enter(bank, bank.books.get("intent", made["intent"]), "refunded", made["amount"])
    announce(bank, "refund.updated", refund_of(made))
    return made


def fail_refund(bank: Bank, made: Row) -> Row:
    """Fails a refund that was done or is pending: its money comes back to the shop."""
    if made["status"] == "failed":
        raise invalid("This refund has failed already.")
    made = bank.books.change("refund", made["id"], status="failed")
    enter(bank, bank.books.get("intent", made["intent"]), "refund failed", made["amount"])
    announce(bank, "refund.failed", refund_of(made))
    return made


def returned(bank: Bank, charge: Row) -> int:
    """What was refunded, or is about to be."""
    refunds = bank.books.rows("refund", charge=charge["id"])
    return sum(int(made["amount"]) for made in refunds if made["status"] != "failed")


def dispute(bank: Bank, intent: Row) -> Row:
    if intent["status"] != "succeeded":
        raise invalid("Only what was captured can be disputed.")
    opened = bank.books.rows("dispute", charge=intent["charge"])
    if opened:
        raise invalid("This charge is disputed already.")
    made = bank.books.add(
        "dispute",
        intent=intent["id"],
        charge=intent["charge"],
        amount=intent["amount"],
        currency=intent["currency"],
    )
    enter(bank, intent, "disputed", made["amount"])
    announce(bank, "charge.dispute.created", dispute_of(made))
    return made

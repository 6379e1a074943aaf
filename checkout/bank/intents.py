"""What may happen to an attempt to pay and to the money that it secured. Each function is part of a
transaction."""

from typing import Any

from checkout.bank.bank import Bank
from checkout.bank.books import Row, new_id
from checkout.bank.hooks import announce
from checkout.bank.objects import intent_of
from checkout.bank.problems import declined, invalid, wrong_state

CARD, UPI = "card", "upi"
# The names of Stripe's test mode; "pays" is the bank's own.
PAYMENT_METHODS = {
    "pays", "pm_card_visa", "pm_upi", "pm_card_authenticationRequired", "pm_card_chargeDeclined",
}  # fmt: skip
UNPAID = {"requires_payment_method", "requires_action"}


def begun(bank: Bank, session: Row) -> Row:
    """The session's intent. As with Stripe, intent and customer are made when somebody begins to
    pay."""
    if session["intent"]:
        return bank.books.get("intent", session["intent"])
    return new_intent(bank, session)


def new_intent(bank: Bank, session: Row) -> Row:
    customer = session["customer"] or (new_id("cus_") if session["has_customer"] else None)
    intent = bank.books.add(
        "intent",
        session=session["id"],
        customer=customer,
        amount=session["amount"],
        currency=session["currency"],
        status="requires_payment_method",
        manual=session["manual"],
        metadata=session["intent_metadata"],
    )
    bank.books.change(
        "session", session["id"], customer=customer, intent=session["intent"] or intent["id"]
    )
    return intent


def authorise(bank: Bank, intent: Row, method: str) -> Row:
    """A card is authorised if the shop captures by itself; UPI moves the money at once."""
    charge = bank.books.add(
        "charge",
        intent=intent["id"],
        method=method,
        amount=intent["amount"],
        currency=intent["currency"],
        status="succeeded",
    )
    intent = bank.books.change(
        "intent", intent["id"], status="requires_capture", charge=charge["id"], failure=""
    )
    enter(bank, intent, "authorised", intent["amount"])
    if method == UPI or not intent["manual"]:
        return capture(bank, intent, intent["amount"])
    announce(bank, "payment_intent.amount_capturable_updated", intent_of(bank, intent))
    return intent


def decline(bank: Bank, intent: Row) -> Row:
    charge = bank.books.add(
        "charge",
        intent=intent["id"],
        method=CARD,
        amount=intent["amount"],
        currency=intent["currency"],
        status="failed",
    )
    intent = bank.books.change(
        "intent",
        intent["id"],
        status="requires_payment_method",
        charge=charge["id"],
        failure="card_declined",
    )
    announce(bank, "payment_intent.payment_failed", intent_of(bank, intent))
    return intent


def ask_to_authenticate(bank: Bank, intent: Row) -> Row:
    intent = bank.books.change("intent", intent["id"], status="requires_action", failure="")
    announce(bank, "payment_intent.requires_action", intent_of(bank, intent))
    return intent


def not_authenticated(bank: Bank, intent: Row) -> Row:
    intent = bank.books.change(
        "intent", intent["id"], status="requires_payment_method",
        failure="payment_intent_authentication_failure",
    )  # fmt: skip
    announce(bank, "payment_intent.payment_failed", intent_of(bank, intent))
    return intent


def capture(bank: Bank, intent: Row, amount: int) -> Row:
    if intent["status"] != "requires_capture":
        raise wrong_state(
            "This PaymentIntent could not be captured because it has a status of"
            f" {intent['status']}."
        )
    if not 0 < amount <= intent["amount"]:
        raise invalid("The amount to capture exceeds what was authorised.", "amount_too_large")
    bank.books.change("charge", intent["charge"], captured=amount)
    intent = bank.books.change("intent", intent["id"], status="succeeded")
    enter(bank, intent, "captured", amount)
    announce(bank, "payment_intent.succeeded", intent_of(bank, intent))
    return intent


def cancel(bank: Bank, intent: Row) -> Row:
    if intent["status"] in {"succeeded", "canceled"}:
        raise wrong_state(
            f"You cannot cancel this PaymentIntent because it has a status of {intent['status']}."
        )
    if intent["session"] and intent["status"] != "requires_capture":
        raise wrong_state("Expire the Checkout Session of this PaymentIntent instead.")
    return end(bank, intent, "requested_by_customer")


def lapse(bank: Bank, intent: Row) -> Row:
    """The authorisation ends without being captured."""
    if intent["status"] != "requires_capture":
        raise wrong_state("Only an authorisation can lapse.")
    return end(bank, intent, "automatic")


def end(bank: Bank, intent: Row, reason: str) -> Row:
    if intent["status"] == "requires_capture":
        bank.books.change("charge", intent["charge"], released=1)
        enter(bank, intent, "released", intent["amount"])
    intent = bank.books.change(
        "intent", intent["id"], status="canceled", cancellation_reason=reason
    )
    announce(bank, "payment_intent.canceled", intent_of(bank, intent))
    return intent


def falsify(bank: Bank, intent: Row, changes: dict[str, Any]) -> Row:
    """Makes the books show another amount or currency than was to be paid."""
    if not intent["charge"]:
        raise invalid("Nothing was paid yet.")
    charge = bank.books.get("charge", intent["charge"])
    captured = {"captured": changes["amount"]} if charge["captured"] and "amount" in changes else {}
    bank.books.change("charge", charge["id"], **changes, **captured)
    return bank.books.change("intent", intent["id"], **changes)


def payable(intent: Row) -> Row:
    """The intent, if it can be paid without a page. Raises `Problem`."""
    if intent["session"] or intent["status"] not in UNPAID:
        raise wrong_state(
            "This PaymentIntent could not be confirmed because it has a status of"
            f" {intent['status']}."
        )
    return intent


def paid_by(bank: Bank, intent: Row, payment_method: str) -> Row:
    """Raises `Problem` if it is declined."""
    match payment_method:
        case "pm_card_chargeDeclined":
            decline(bank, intent)
            raise declined(intent["id"], "card_declined")
        case "pm_card_authenticationRequired":
            return ask_to_authenticate(bank, intent)
        case "pm_upi":
            return authorise(bank, intent, UPI)
    return authorise(bank, intent, CARD)


def enter(bank: Bank, intent: Row, what: str, amount: int) -> None:
    """Adds a line to the bank's ledger of what moved."""
    bank.books.add(
        "move", intent=intent["id"], what=what, amount=amount, currency=intent["currency"]
    )

"""Payment pages: how they end, and the ways to pay there. Each function is part of a
transaction."""

import time

from checkout.bank.bank import Bank
from checkout.bank.books import Row
from checkout.bank.hooks import announce
from checkout.bank.intents import (
    CARD,
    UNPAID,
    UPI,
    ask_to_authenticate,
    authorise,
    begun,
    decline,
    end,
    new_intent,
    not_authenticated,
)
from checkout.bank.objects import session_of
from checkout.bank.problems import invalid, wrong_state

# The ways that the page offers. `late`: the money appears after the session has ended.
WAYS = ("card", "upi", "declined", "authenticate", "late", "twice")


def expire_if_over(bank: Bank, session: Row) -> Row:
    over = session["status"] == "open" and session["expires_at"] <= time.time()
    return _end(bank, session) if over else session


def expire(bank: Bank, session: Row) -> Row:
    if session["status"] != "open":
        raise invalid(
            f'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout'
            f" Session has a status of {session['status']}."
        )
    return _end(bank, session)


def _end(bank: Bank, session: Row) -> Row:
    session = bank.books.change("session", session["id"], status="expired")
    announce(bank, "checkout.session.expired", session_of(bank, session))
    unpaid = session["intent"] and bank.books.get("intent", session["intent"])
    if unpaid and unpaid["status"] in UNPAID:
        end(bank, unpaid, "abandoned")
    if session["late"]:
        authorise(bank, new_intent(bank, session), CARD)
    return bank.books.get("session", session["id"])


def complete(bank: Bank, session: Row) -> None:
    session = bank.books.change("session", session["id"], status="complete", late=0)
    announce(bank, "checkout.session.completed", session_of(bank, session))


def pay(bank: Bank, session: Row, way: str) -> Row:
    """Returns the intent. In an ended session money can only appear late."""
    if way not in WAYS:
        raise invalid(f"No such way to pay: '{way}'")
    session = expire_if_over(bank, session)
    if way == "late":
        return _pay_late(bank, session)
    if session["status"] != "open":
        raise invalid(f"This Checkout Session is {session['status']}.")
    intent = begun(bank, session)
    if way == "declined":
        return decline(bank, intent)
    if way == "authenticate":
        return ask_to_authenticate(bank, intent)
    intent = authorise(bank, intent, UPI if way == "upi" else CARD)
    if way == "twice":
        authorise(bank, new_intent(bank, bank.books.get("session", session["id"])), CARD)
    complete(bank, session)
    return intent


def _pay_late(bank: Bank, session: Row) -> Row:
    if session["status"] != "open":
        return authorise(bank, new_intent(bank, session), CARD)
    bank.books.change("session", session["id"], late=1)
    return begun(bank, session)


def authenticate(bank: Bank, intent: Row, *, approved: bool) -> Row:
    if intent["status"] != "requires_action":
        raise wrong_state(f"This PaymentIntent has a status of {intent['status']}.")
    if not approved:
        return not_authenticated(bank, intent)
    intent = authorise(bank, intent, CARD)
    session = intent["session"] and bank.books.get("session", intent["session"])
    if session:
        complete(bank, session)
    return intent

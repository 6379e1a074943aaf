"""The calls of Stripe's API that the shop makes."""

import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from checkout.bank import intents, refunds, sessions
from checkout.bank.bank import Bank
from checkout.bank.books import Row
from checkout.bank.objects import (
    Shape,
    below,
    dispute_of,
    intent_of,
    listed,
    refund_of,
    session_of,
)
from checkout.bank.problems import bad_parameter, missing
from checkout.bank.web import number_of, part_of, text_of, texts_of

Parameters = dict[str, Any]
Call = Callable[..., Shape]

SHORTEST_SESSION, LONGEST_SESSION = 1800, 86_400
MOST_LISTED = 100


def create_session(bank: Bank, given: Parameters) -> Shape:
    lines = [_line(line) for line in given.get("line_items") or []]
    amount = sum(line["unit_amount"] * line["quantity"] for line in lines)
    if text_of(given, "mode") != "payment" or not amount:
        raise bad_parameter("Give mode=payment and line_items that cost something.", "line_items")
    card = part_of(part_of(given, "payment_method_options"), "card")
    row = bank.books.add(
        "session",
        expires_at=_end(given),
        status="open",
        reference=text_of(given, "client_reference_id", ""),
        email=text_of(given, "customer_email", ""),
        lines=lines,
        amount=amount,
        currency=lines[0]["currency"],
        manual=card.get("capture_method") == "manual",
        has_customer=text_of(given, "customer_creation", "if_required") == "always",
        metadata=texts_of(given, "metadata"),
        intent_metadata=texts_of(part_of(given, "payment_intent_data"), "metadata"),
        success_url=_address(given, "success_url"),
        cancel_url=_address(given, "cancel_url"),
    )
    return session_of(bank, row)


def _line(given: Any) -> Row:
    price = part_of(part_of({"line": given}, "line"), "price_data")
    name = text_of(part_of(price, "product_data"), "name")
    if not name:
        raise bad_parameter("A product needs a name.", "line_items")
    return {
        "name": name,
        "currency": text_of(price, "currency"),
        "unit_amount": number_of(price, "unit_amount"),
        "quantity": number_of(given, "quantity"),
    }


def _end(given: Parameters) -> int:
    now = int(time.time())
    end = number_of(given, "expires_at", now + LONGEST_SESSION)
    if not now + SHORTEST_SESSION <= end <= now + LONGEST_SESSION:
        raise bad_parameter(
            "The expires_at timestamp must be between 30 minutes and 24 hours from now.",
            "expires_at",
        )
    return end


def _address(given: Parameters, name: str) -> str:
    address = text_of(given, name)
    if urlsplit(address).scheme not in {"http", "https"} or not urlsplit(address).netloc:
        raise bad_parameter("Not a valid URL", name)
    return address


def retrieve_session(bank: Bank, given: Parameters, key: str) -> Shape:
    session = sessions.expire_if_over(bank, _found(bank, "session", key))
    return session_of(bank, session, _expand(given))


def expire_session(bank: Bank, _given: Parameters, key: str) -> Shape:
    session = sessions.expire_if_over(bank, _found(bank, "session", key))
    return session_of(bank, sessions.expire(bank, session))


def create_intent(bank: Bank, given: Parameters) -> Shape:
    card = part_of(part_of(given, "payment_method_options"), "card")
    if given.keys() & {"confirm", "payment_method", "return_url"}:
        raise bad_parameter("This bank confirms an intent by a call of its own.", "confirm")
    intent = bank.books.add(
        "intent",
        amount=number_of(given, "amount"),
        currency=text_of(given, "currency"),
        status="requires_payment_method",
        manual=card.get("capture_method") == "manual",
        metadata=texts_of(given, "metadata"),
    )
    return intent_of(bank, intent)


def confirm_intent(bank: Bank, given: Parameters, key: str) -> Shape:
    method = text_of(given, "payment_method")
    if method not in intents.PAYMENT_METHODS:
        raise missing("PaymentMethod", method)
    intent = intents.payable(_found(bank, "intent", key))
    bank.books.change("intent", key, return_url=_address(given, "return_url"))
    return intent_of(bank, intents.paid_by(bank, intent, method))


def retrieve_intent(bank: Bank, given: Parameters, key: str) -> Shape:
    return intent_of(bank, _found(bank, "intent", key), _expand(given))


def list_intents(bank: Bank, given: Parameters) -> Shape:
    rows = bank.books.rows("intent", customer=text_of(given, "customer"))
    deeper = below(_expand(given), "data")
    return _page(given, rows, "/v1/payment_intents", lambda row: intent_of(bank, row, deeper))


def capture_intent(bank: Bank, given: Parameters, key: str) -> Shape:
    intent = _found(bank, "intent", key)
    amount = number_of(given, "amount_to_capture", intent["amount"])
    return intent_of(bank, intents.capture(bank, intent, amount), _expand(given))


def cancel_intent(bank: Bank, _given: Parameters, key: str) -> Shape:
    return intent_of(bank, intents.cancel(bank, _found(bank, "intent", key)))


def create_refund(bank: Bank, given: Parameters) -> Shape:
    intent = _found(bank, "intent", text_of(given, "payment_intent"))
    amount = number_of(given, "amount") if "amount" in given else None
    return refund_of(refunds.refund(bank, intent, amount, texts_of(given, "metadata")))


def retrieve_refund(bank: Bank, _given: Parameters, key: str) -> Shape:
    return refund_of(_found(bank, "refund", key))


def list_refunds(bank: Bank, given: Parameters) -> Shape:
    rows = bank.books.rows("refund", intent=text_of(given, "payment_intent"))
    return _page(given, rows, "/v1/refunds", refund_of)


def list_disputes(bank: Bank, given: Parameters) -> Shape:
    rows = bank.books.rows("dispute", charge=text_of(given, "charge"))
    return _page(given, rows, "/v1/disputes", dispute_of)


def _page(
    given: Parameters, rows: list[Row], url: str, shape: Callable[[Row], Shape]
) -> Shape:  # fmt: skip
    """The latest first, and on the next page those before the last of this one."""
    after = given.get("starting_after")
    if after:
        known = [row["id"] for row in rows]
        rows = rows[known.index(after) + 1 :] if after in known else []
    most = min(number_of(given, "limit", 10), MOST_LISTED)
    return listed([shape(row) for row in rows[:most]], url, more=len(rows) > most)


def _expand(given: Parameters) -> list[str]:
    paths = given.get("expand", [])
    if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
        raise bad_parameter("Invalid array: expand", "expand")
    return paths


def _found(bank: Bank, table: str, key: str) -> Row:
    row = bank.books.find(table, key)
    if row is None:
        raise missing({"session": "checkout.session", "intent": "payment_intent"}.get(
            table, table
        ), key)  # fmt: skip
    return row


CALLS: list[tuple[str, re.Pattern[str], Call]] = [
    (method, re.compile(pattern), call)
    for method, pattern, call in (
        ("POST", r"/v1/checkout/sessions", create_session),
        ("GET", r"/v1/checkout/sessions/(\w+)", retrieve_session),
        ("POST", r"/v1/checkout/sessions/(\w+)/expire", expire_session),
        ("POST", r"/v1/payment_intents", create_intent),
        ("GET", r"/v1/payment_intents", list_intents),
        ("POST", r"/v1/payment_intents/(\w+)/confirm", confirm_intent),
        ("GET", r"/v1/payment_intents/(\w+)", retrieve_intent),
        ("POST", r"/v1/payment_intents/(\w+)/capture", capture_intent),
        ("POST", r"/v1/payment_intents/(\w+)/cancel", cancel_intent),
        ("POST", r"/v1/refunds", create_refund),
        ("GET", r"/v1/refunds", list_refunds),
        ("GET", r"/v1/refunds/(\w+)", retrieve_refund),
        ("GET", r"/v1/disputes", list_disputes),
    )
]

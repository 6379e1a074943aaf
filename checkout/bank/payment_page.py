"""The page on which one pays, and the one that authenticates the buyer (3-D Secure)."""

import time
from datetime import datetime
from urllib.parse import urlsplit

from checkout.bank.bank import Bank
from checkout.bank.books import Row
from checkout.bank.markup import Html, button, joined, page, rupees, tag
from checkout.bank.problems import Problem, missing
from checkout.bank.sessions import authenticate, expire_if_over, pay
from checkout.bank.web import Request, Response, text_of

LATE = "It is late for this payment: the money appears when the shop has closed this page."
FAILURES = {
    "card_declined": "The card was declined. Nothing was charged; you can try again.",
    "payment_intent_authentication_failure": "It was not approved. Nothing was charged; you can"
    " try again.",
}
ACCENT = "button-accent button-wide"
# Other things that happen at banks: the words of the button, and what it does.
ELSE = (
    ("declined", "Decline", "The bank does not pay. You stay here."),
    ("authenticate", "3-D Secure", "You approve or reject it on a page of its own."),
    ("late", "Pay late", "The money appears only after the shop has closed this page."),
    ("twice", "Pay twice", "The money is taken twice for one order."),
)


def answer(bank: Bank, request: Request) -> Response:
    with bank.books.transaction():
        try:
            return _answer(bank, request)
        except Problem as problem:
            text = problem.body["error"]["message"]
            return page("Not possible", tag("h1", "Not possible"), tag("p", text),
                        status=problem.status)  # fmt: skip


def _answer(bank: Bank, request: Request) -> Response:
    _, place, key, *rest = request.path.split("/")
    table = "session" if place == "pay" else "intent"
    row = None if rest else bank.books.find(table, key)
    if row is None:
        raise missing("page", key)
    if place == "pay":
        return _paid(bank, row, request) if request.method == "POST" else _payment(bank, row)
    if request.method == "POST":
        return _authenticated(bank, row, request)
    return _question(bank, row)


def _paid(bank: Bank, session: Row, request: Request) -> Response:
    way = text_of(request.parameters, "way")
    session = expire_if_over(bank, session)
    if session["status"] != "open" and way != "late":
        # From another tab, or too late: the page itself says what became of it.
        return Response.redirect(f"/pay/{session['id']}")
    intent = pay(bank, session, way)
    if way == "authenticate":
        return Response.redirect(f"/authenticate/{intent['id']}")
    session = bank.books.get("session", session["id"])
    paid = session["status"] == "complete"
    return Response.redirect(_back(session) if paid else f"/pay/{session['id']}")


def _authenticated(bank: Bank, intent: Row, request: Request) -> Response:
    if intent["status"] != "requires_action":
        return _answered(intent)
    approved = text_of(request.parameters, "approve") == "yes"
    intent = authenticate(bank, intent, approved=approved)
    if not intent["session"]:
        return Response.redirect(intent["return_url"])
    session = bank.books.get("session", intent["session"])
    return Response.redirect(_back(session) if approved else f"/pay/{session['id']}")


def _answered(intent: Row) -> Response:
    """The question was answered already, or its time is over: to where the answer is seen."""
    session = intent["session"]
    return Response.redirect(f"/pay/{session}" if session else intent["return_url"])


def _back(session: Row) -> str:
    return str(session["success_url"]).replace("{CHECKOUT_SESSION_ID}", session["id"])


def _payment(bank: Bank, session: Row) -> Response:
    session = expire_if_over(bank, session)
    ways = {"open": _open, "complete": _complete, "expired": _expired}[session["status"]]
    return page(
        f"Order {session['reference']}",
        tag("section", *_summary(bank, session), class_="bank-summary", data_track="night"),
        tag("section", *ways(bank, session), class_="bank-ways"),
        form_targets=[_origin(session["success_url"]), _origin(session["cancel_url"])],
    )


def _summary(bank: Bank, session: Row) -> list[Html]:
    lines = (
        tag(
            "li",
            tag("span", f"{line['quantity']} × {line['name']}"),
            tag("span", rupees(line["unit_amount"] * line["quantity"], line["currency"])),
        )
        for line in session["lines"]
    )
    total = rupees(session["amount"], session["currency"])
    return [
        tag("h1", "Order ", tag("span", session["reference"], class_="bank-number")),
        tag("ul", *lines, class_="bank-lines", role="list"),
        tag("p", tag("span", "Total"), tag("strong", total), class_="bank-total"),
        *([tag("p", _time_remaining(bank, session))] if session["status"] == "open" else []),
    ]


def _time_remaining(bank: Bank, session: Row) -> Html:
    """The time until the shop closes the payment, which the shop writes into the metadata."""
    written = session["metadata"].get("pay_by")
    end = datetime.fromisoformat(written).timestamp() if written else session["expires_at"]
    left = int(end - time.time())
    if left <= 0:
        return Html("The shop’s time for this payment is over. What is paid now comes back.")
    at = datetime.fromtimestamp(end, bank.zone)
    words = f"{left // 60} minutes" if left >= 120 else f"{left} seconds"
    moment = tag("time", f"{at:%H:%M}", datetime=at.isoformat())
    return joined("Pay by ", moment, f": {words} remained when this page opened.")


def _open(bank: Bank, session: Row) -> list[Html]:
    total = rupees(session["amount"], session["currency"])
    more = (
        tag(
            "li",
            button(words, name="way", value=way, described_by=f"does-{way}"),
            tag("p", does, class_="bank-does", id=f"does-{way}"),
        )
        for way, words, does in ELSE
    )
    return [
        *_news(bank, session),
        tag(
            "form",
            tag("h2", "Pay"),
            button(f"Pay {total} by card", name="way", value="card", look=ACCENT),
            button(f"Pay {total} by UPI", name="way", value="upi", look="button-wide"),
            tag("h2", "What else happens at banks"),
            tag("ul", *more, class_="bank-else", role="list"),
            method="post",
            class_="bank-form",
        ),
        tag("p", tag("a", "Back to the shop, without paying", href=session["cancel_url"])),
    ]


def _news(bank: Bank, session: Row) -> list[Html]:
    intent = bank.books.get("intent", session["intent"]) if session["intent"] else None
    if session["late"]:
        return [tag("p", LATE, class_="notice notice-warn", role="status")]
    if intent and intent["failure"]:
        return [tag("p", FAILURES[intent["failure"]], class_="notice notice-bad", role="alert")]
    return []


def _complete(_bank: Bank, session: Row) -> list[Html]:
    return [
        tag("h2", "This is paid"),
        tag("p", tag("a", "Back to the shop", href=_back(session), class_="button")),
    ]


def _expired(_bank: Bank, session: Row) -> list[Html]:
    return [
        tag("h2", "This page has ended"),
        tag("p", "The shop does not wait for this payment any more. Nothing can be paid here."),
        tag("p", tag("a", "Back to the shop", href=session["cancel_url"], class_="button")),
        tag(
            "form",
            tag("p", "A bank that was slow can still pay now; the shop then sends it back."),
            button("Pay late", name="way", value="late"),
            method="post",
            class_="bank-form",
        ),
    ]


def _question(bank: Bank, intent: Row) -> Response:
    if intent["status"] != "requires_action":
        return _answered(intent)
    session = bank.books.get("session", intent["session"]) if intent["session"] else None
    target = session["success_url"] if session else intent["return_url"]
    return page(
        "Is it you?",
        tag(
            "section",
            tag("h1", "Is it you?"),
            tag("p", f"Somebody pays {rupees(intent['amount'], intent['currency'])} by your card."),
            tag(
                "form",
                button("Yes, pay", name="approve", value="yes", look="button-accent"),
                button("No", name="approve", value="no"),
                method="post",
                class_="actions",
            ),
            class_="bank-ways",
        ),
        form_targets=[_origin(target)],
    )


def _origin(address: str) -> str:
    url = urlsplit(address)
    return f"{url.scheme}://{url.netloc}"

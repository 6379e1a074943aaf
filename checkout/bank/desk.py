"""The bank's desk: what is in the books, and a button for each thing that can go wrong."""

from datetime import datetime

from checkout.bank import control
from checkout.bank.bank import Bank
from checkout.bank.books import Row
from checkout.bank.markup import Html, button, file, joined, page, rupees, tag
from checkout.bank.problems import Problem
from checkout.bank.refunds import returned
from checkout.bank.web import Request, Response

SHOWN = 20
# The words of the button, the fault, and its value; none ends it.
FAULTS = (
    ("Answer after 6 seconds", "slow", "6"),
    ("Be down", "down", "on"),
    ("Refuse calls as too many", "too_many", "on"),
    ("Do what is called for, but lose the answer", "lose_answers", "on"),
    ("Let the next refund fail", "fail_next_refund", "on"),
    ("Let the next refund be pending", "delay_next_refund", "on"),
    ("Lose webhooks", "hooks", "lose"),
    ("Send webhooks twice", "hooks", "twice"),
    ("Send webhooks out of order", "hooks", "reverse"),
    ("Send webhooks 30 seconds late", "hooks", "30"),
)
DEEDS = {
    "requires_capture": (("lapse", "Let it lapse"),),
    "succeeded": (("refund", "Refund here"), ("dispute", "Dispute")),
}

FAIL, FINISH = ("fail", "Let the refund of {} fail"), ("finish", "Finish the refund of {}")
# What can become of a refund, by its status.
ENDS = {"pending": (FINISH, FAIL), "succeeded": (FAIL,), "failed": ()}


def answer(bank: Bank, request: Request) -> Response:
    if request.method == "GET" and (found := file(request.path)):
        return found
    if request.method == "GET" and request.path == "/health":
        return Response(200, b"ok", {"Content-Type": "text/plain"})
    if request.method == "GET" and request.path == "/":
        return _desk(bank)
    if request.method == "POST" and request.path.startswith("/desk/"):
        return _done(bank, request)
    return page("Not here", tag("h1", "There is no such page"), status=404)


def _done(bank: Bank, request: Request) -> Response:
    given = {name: value for name, value in request.parameters.items() if value != ""}
    if request.path == "/desk/faults":
        given = {name: _value(str(value)) for name, value in given.items()}
    try:
        control.run(bank, "POST", request.path.replace("/desk/", "/control/", 1), given)
    except Problem as problem:
        text = problem.body["error"]["message"]
        return page("Not possible", tag("h1", "Not possible"), tag("p", text), back(),
                    status=problem.status)  # fmt: skip
    return Response.redirect("/")


def _value(text: str) -> str | int | bool | None:
    return {"on": True, "off": None}.get(text, int(text) if text.isdigit() else text)


def back() -> Html:
    return tag("p", tag("a", "Back to the desk", href="/"))


def _desk(bank: Bank) -> Response:
    return page(
        "The desk",
        tag("h1", "The desk"),
        tag("section", tag("h2", "What goes wrong"), _faults(bank), class_="bank-part"),
        tag("section", tag("h2", "Webhooks"), _hooks(bank), class_="bank-part"),
        tag("section", tag("h2", "Money"), *_intents(bank), class_="bank-part"),
        tag("section", tag("h2", "Payment pages"), *_sessions(bank), class_="bank-part"),
    )


def _form(path: str, *children: str) -> Html:
    return tag("form", *children, method="post", action=f"/desk/{path}", class_="actions")


def _faults(bank: Bank) -> Html:
    set_now = bank.books.faults()
    rows = []
    for words, name, value in FAULTS:
        on = set_now.get(name) == _value(value)
        verb = "End: " if on else ""
        rows.append(
            tag("li", _form("faults", button(verb + words, name=name, value="off" if on else value,
                                             look="" if on else "button-quiet")))
        )  # fmt: skip
    rows.append(tag("li", _form("forget-keys", button("Forget idempotency keys"))))
    return tag("ul", *rows, class_="bank-faults", role="list")


def _hooks(bank: Bank) -> Html:
    counts = bank.books.counts("hook", "state")
    words = ", ".join(f"{number} {state}" for state, number in counts.items())
    return joined(
        tag("p", words or "None yet."),
        _form("hooks/send", button("Send those that were lost or given up")),
    )


def _intents(bank: Bank) -> list[Html]:
    rows = bank.books.rows("intent", limit=SHOWN)
    return [_intent(bank, row) for row in rows] or [tag("p", "None yet.")]


def _intent(bank: Bank, row: Row) -> Html:
    session = bank.books.get("session", row["session"]) if row["session"] else None
    order = f", order {session['reference']}" if session else ""
    return tag(
        "article",
        tag("h3", f"{rupees(row['amount'], row['currency'])} {row['status'].replace('_', ' ')}"),
        tag("p", row["id"], order, _refunded(bank, row), class_="bank-does"),
        tag("div", *_deeds(bank, row), class_="actions"),
        class_="bank-card",
    )


def _deeds(bank: Bank, row: Row) -> list[Html]:
    path = f"intents/{row['id']}"
    deeds = [_form(f"{path}/{verb}", button(words)) for verb, words in DEEDS.get(row["status"], ())]
    for made in bank.books.rows("refund", intent=row["id"]):
        for verb, words in ENDS[made["status"]]:
            text = words.format(rupees(made["amount"]))
            deeds.append(_form(f"refunds/{made['id']}/{verb}", button(text)))
    if row["status"] in DEEDS:
        amount = _field(row["id"], "Paise", "amount", str(row["amount"]))
        currency = _field(row["id"], "Currency", "currency", row["currency"])
        deeds.append(_form(f"{path}/falsify", amount, currency, button("Change the books")))
    return deeds


def _refunded(bank: Bank, row: Row) -> str:
    paise = returned(bank, bank.books.get("charge", row["charge"])) if row["charge"] else 0
    return f", {rupees(paise, row['currency'])} refunded" if paise else ""


def _field(row: str, words: str, name: str, value: str) -> Html:
    field_id = f"{name}-{row}"
    return tag(
        "span", tag("label", words, for_=field_id),
        tag("input", id=field_id, name=name, value=value), class_="bank-field",
    )  # fmt: skip


def _sessions(bank: Bank) -> list[Html]:
    rows = bank.books.rows("session", limit=SHOWN)
    shown = [
        tag(
            "li",
            tag("a", f"Order {row['reference']}", href=f"/pay/{row['id']}"),
            f", {rupees(row['amount'], row['currency'])}, {row['status']},"
            f" opened at {datetime.fromtimestamp(row['created'], bank.zone):%H:%M}",
        )
        for row in rows
    ]
    return [tag("ul", *shown, class_="bank-list")] if shown else [tag("p", "None yet.")]

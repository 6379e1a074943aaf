"""What the bank's desk and the tests make happen, by JSON under `/control/`.

`POST /control/faults` sets faults, and `null` ends one:

| fault | what happens |
|---|---|
| `slow` | calls are answered after so many seconds |
| `down`, `too_many` | calls are answered by 503, or by 429 |
| `lose_answers` | what is called for is done, and the connection closed without an answer |
| `fail_next_refund` | the next refund fails |
| `delay_next_refund` | the next refund is pending until it is finished or fails |
| `hooks` | see `checkout.bank.hooks` |

`GET` reads the books: `/control/sessions`, `intents`, `charges`, `refunds`, `disputes`, `hooks`,
and `moves`, the ledger of what happened to money. Other `POST`s make something happen now:

| path | what happens |
|---|---|
| `sessions/ID/pay` | one pays as on the page; `way` is one of `checkout.bank.sessions.WAYS` |
| `sessions/ID/expire` | the session's time is over |
| `intents/ID/approve`, `reject` | the buyer answers 3-D Secure |
| `intents/ID/lapse` | an authorisation ends by itself |
| `intents/ID/refund`, `dispute` | the bank refunds (`amount`), or the buyer disputes |
| `intents/ID/falsify` | another `amount` or `currency` is in the books |
| `refunds/ID/finish` | a refund that is pending is done |
| `refunds/ID/fail` | a refund that was done, or is pending, comes back |
| `forget-keys` | no idempotency key is known any more |
| `hooks/send` | webhooks that were lost or given up are sent, or the one of an `event` |
"""

import re
from collections.abc import Callable
from typing import Any

from checkout.bank import intents, refunds, sessions
from checkout.bank.bank import Bank
from checkout.bank.books import Row
from checkout.bank.hooks import send_again
from checkout.bank.problems import bad_parameter, invalid, missing
from checkout.bank.web import Request, Response, number_of, text_of

FAULTS = {"slow", "down", "too_many", "lose_answers", "hooks", *refunds.FAULTS}
HOOK_FAULTS = ("lose", "twice", "reverse")
TABLES = ("session", "intent", "charge", "refund", "dispute", "move", "hook")
FILTERS = {
    "session": {"id"}, "intent": {"id", "session"}, "charge": {"intent"}, "refund": {"intent"},
    "dispute": {"intent"}, "move": {"intent"}, "hook": {"event", "state"},
}  # fmt: skip

Given = dict[str, Any]


def answer(bank: Bank, request: Request) -> Response:
    given = request.json if request.method == "POST" else request.parameters
    return Response.of_json(run(bank, request.method, request.path, given))


def run(bank: Bank, method: str, path: str, given: Given) -> Any:
    with bank.books.transaction():
        for known, pattern, call in CALLS:
            if known == method and (groups := pattern.fullmatch(path)):
                return call(bank, given, *groups.groups())
    raise invalid("No such control.", status=404)


def read(bank: Bank, given: Given, table: str) -> list[Row]:
    """The books, the latest entry first; only those of one intent or session, if one is given."""
    if not given.keys() <= FILTERS.get(table, set()):
        raise bad_parameter(f"Unknown filters: {sorted(given)}", "")
    values: Row = {name: text_of(given, name) for name in given}
    return bank.books.rows(table, **values)


def set_faults(bank: Bank, given: Given) -> Given:
    for name, value in given.items():
        _check_fault(name, value)
        bank.books.set_fault(name, value)
    return bank.books.faults()


def _check_fault(name: str, value: Any) -> None:
    if name not in FAULTS:
        raise bad_parameter(f"No such fault: {name}", name)
    seconds = isinstance(value, int | float) and 0 <= value <= 60
    good = {
        "slow": seconds,
        "hooks": seconds or value in HOOK_FAULTS,
    }.get(name, isinstance(value, bool))
    if value is not None and not good:
        raise bad_parameter(f"{name} cannot be {value!r}", name)


def forget_keys(bank: Bank, _given: Given) -> Given:
    bank.books.forget_keys()
    return {}


def pay(bank: Bank, given: Given, key: str) -> Row:
    return sessions.pay(bank, found(bank, "session", key), text_of(given, "way"))


def expire(bank: Bank, _given: Given, key: str) -> Row:
    """As when its own time is over."""
    return sessions.expire(bank, found(bank, "session", key))


def act(bank: Bank, given: Given, key: str, verb: str) -> Row:
    intent = found(bank, "intent", key)
    match verb:
        case "approve" | "reject":
            return sessions.authenticate(bank, intent, approved=verb == "approve")
        case "lapse":
            return intents.lapse(bank, intent)
        case "refund":
            amount = number_of(given, "amount") if "amount" in given else None
            return refunds.refund(bank, intent, amount, {})
        case "dispute":
            return refunds.dispute(bank, intent)
    return intents.falsify(bank, intent, _false(given))


def _false(given: Given) -> Given:
    changes: Given = {}
    if given.get("amount"):
        changes["amount"] = number_of(given, "amount")
    if given.get("currency"):
        changes["currency"] = text_of(given, "currency").lower()
    if not changes:
        raise bad_parameter("Give an amount or a currency.", "amount")
    return changes


def end_refund(bank: Bank, _given: Given, key: str, verb: str) -> Row:
    made = found(bank, "refund", key)
    return (refunds.fail_refund if verb == "fail" else refunds.finish_refund)(bank, made)


def send_hooks(bank: Bank, given: Given) -> Given:
    return {"sent": send_again(bank, text_of(given, "event", ""))}


def found(bank: Bank, table: str, key: str) -> Row:
    row = bank.books.find(table, key)
    if row is None:
        raise missing(table, key)
    return row


VERBS = "approve|reject|lapse|refund|dispute|falsify"
CALLS: list[tuple[str, re.Pattern[str], Callable[..., Any]]] = [
    (method, re.compile(f"/control/{pattern}"), call)
    for method, pattern, call in (
        ("GET", rf"({'|'.join(TABLES)})s", read),
        ("POST", r"faults", set_faults),
        ("POST", r"forget-keys", forget_keys),
        ("POST", r"hooks/send", send_hooks),
        ("POST", r"sessions/(\w+)/pay", pay),
        ("POST", r"sessions/(\w+)/expire", expire),
        ("POST", rf"intents/(\w+)/({VERBS})", act),
        ("POST", r"refunds/(\w+)/(fail|finish)", end_refund),
    )
]

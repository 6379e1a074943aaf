"""Webhooks: written with what they announce, sent by a thread of its own, tried again.

The fault `hooks` is what becomes of those that are written while it is set:
`lose`, `twice`, `reverse` (the later of two is sent first), or a number of seconds to wait.
"""

import hmac
import http.client
import json
import logging
import threading
import time
from urllib.parse import urlsplit

from checkout.bank.bank import Bank
from checkout.bank.books import Row, new_id
from checkout.bank.objects import Shape

log = logging.getLogger("bank.hooks")

ANSWER_SECONDS = 5.0
# Pauses after each failed try; after the last one the webhook is given up.
PAUSES = (0.5, 1, 2, 4, 8, 16, 32)
# How long a webhook that is to arrive late waits for the later one.
OVERTAKEN_SECONDS = 2.0


def announce(bank: Bank, kind: str, shape: Shape) -> None:
    """Part of the transaction that made the change."""
    if not bank.hook_url:
        return
    fault, now = bank.books.fault("hooks"), time.time()
    event = {
        "id": new_id("evt_"),
        "object": "event",
        "type": kind,
        "created": int(now),
        "livemode": False,
        "data": {"object": shape},
    }
    due = now + (fault if isinstance(fault, int | float) else 0)
    if fault == "reverse":
        due = now if _overtakes(bank, now) else now + OVERTAKEN_SECONDS
    for _ in range(2 if fault == "twice" else 1):
        bank.books.add(
            "hook",
            event=event["id"],
            type=kind,
            body=json.dumps(event),
            due=due,
            state="lost" if fault == "lose" else "due",
        )
    bank.news.set()


def _overtakes(bank: Bank, now: float) -> bool:
    """Whether another one waits to be overtaken by this one; it is then sent right after."""
    waiting = [row for row in bank.books.rows("hook", state="due") if row["due"] > now]
    for row in waiting:
        bank.books.change("hook", row["id"], due=now + 0.05)
    return bool(waiting)


def send_again(bank: Bank, event: str = "") -> int:
    """Sends an event once more, or every event that was not sent; returns how many."""
    with bank.books.transaction():
        again = (
            bank.books.rows("hook", event=event)
            if event
            else bank.books.rows("hook", state="lost") + bank.books.rows("hook", state="given up")
        )
        for row in again:
            bank.books.change("hook", row["id"], state="due", due=time.time(), tries=0)
    bank.news.set()
    return len(again)


def start_sending(bank: Bank) -> None:
    threading.Thread(target=_send_for_ever, args=(bank,), daemon=True, name="hooks").start()


def _send_for_ever(bank: Bank) -> None:
    while True:
        try:
            _send_next(bank)
        except Exception:
            log.exception("a webhook could not be sent")
            time.sleep(1)


def _send_next(bank: Bank) -> None:
    bank.news.clear()
    row = bank.books.next_hook()
    wait = max(row["due"] - time.time(), 0.0) if row else None
    if row and not wait:
        _send(bank, row)
    else:
        bank.news.wait(wait)


def _send(bank: Bank, row: Row) -> None:
    status = _post(bank, row["body"])
    if status // 100 == 2:
        bank.books.change("hook", row["id"], state="sent", tries=row["tries"] + 1)
    elif row["tries"] < len(PAUSES):
        due = time.time() + PAUSES[row["tries"]]
        bank.books.change("hook", row["id"], due=due, tries=row["tries"] + 1)
    else:
        log.warning("%s was given up: the shop answers %s", row["type"], status or "nothing")
        bank.books.change("hook", row["id"], state="given up")


def _post(bank: Bank, body: str) -> int:
    """Returns the status; 0 if there was no answer."""
    url = urlsplit(bank.hook_url)
    connection = http.client.HTTPConnection(url.netloc, timeout=ANSWER_SECONDS)
    headers = {
        "Content-Type": "application/json",
        "Stripe-Signature": signature(body, bank.hook_secret, int(time.time())),
    }
    try:
        connection.request("POST", url.path, body.encode(), headers)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def signature(body: str, secret: str, at: int) -> str:
    digest = hmac.new(secret.encode(), f"{at}.{body}".encode(), "sha256").hexdigest()
    return f"t={at},v1={digest}"

"""A warm process whose children go the way of money, and are killed at a step of it.

It reads one line of JSON for each: `way` and what that needs, and `step`, which counts from 1. Its
answer is the name of the step at which the child was killed; empty if it came to its end.
"""

import gc
import json
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import Any
from uuid import UUID, uuid4

import django

django.setup()

from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import setup_test_environment  # noqa: E402
from django.urls import get_resolver  # noqa: E402
from urllib3.connection import HTTPConnection  # noqa: E402

from checkout import due, recording, settle  # noqa: E402
from checkout.api import paying as program_pays  # noqa: E402
from checkout.models import Order  # noqa: E402
from checkout.orders import cancelling, opening, refunding  # noqa: E402
from checkout.payments.base import ProviderError  # noqa: E402
from checkout.payments.providers import provider  # noqa: E402
from checkout.payments.stripe import Stripe  # noqa: E402
from inventory import services as inventory  # noqa: E402
from reservations.engine import storage  # noqa: E402
from reservations.engine import transactions as engine  # noqa: E402
from reservations.engine.books import Books  # noqa: E402

OPEN = "paying, its answer is open"
# A child may be killed when one of these has returned.
STEPS: tuple[tuple[Any, str, str], ...] = (
    (opening, "open_order", "ordered"),
    (program_pays, "attempt", "ordered"),
    (Stripe, "open", "page opened at the bank"),
    (Stripe, "prepare", "prepared at the bank"),
    (opening, "begun", "reference stored"),
    (HTTPConnection, "request", OPEN),
    (Stripe, "pay", "paid at the bank"),
    (Stripe, "look", "looked"),
    (opening, "decide_about", "decided"),
    (opening, "drop", "dropped"),
    (due, "put_off", "recorded, not committed"),
    (recording, "record", "recorded"),
    (Stripe, "close", "page closed at the bank"),
    (Stripe, "capture", "captured at the bank"),
    (Stripe, "void", "voided at the bank"),
    (Stripe, "refund", "refunded at the bank"),
    (recording, "refund_is", "refund recorded"),
    (inventory, "apply", "restocked, not committed"),
    (settle, "cancel_lapsed", "cancelled"),
    (refunding, "refund", "refund asked for, not committed"),
    (cancelling, "cancel", "cancelled by staff"),
)


CLIENT = Client()


class Steps:
    """Kills its process at the step with the number `deadly`, which it names to `names`."""

    def __init__(self, deadly: int, names: int) -> None:
        self._left, self._names = deadly, names

    @property
    def is_last(self) -> bool:
        return self._left == 1

    def passed(self, name: str) -> None:
        self._left -= 1
        if not self._left:
            os.write(self._names, name.encode())
            os.kill(os.getpid(), signal.SIGKILL)

    def watch(self) -> None:
        for owner, attribute, name in STEPS:
            setattr(owner, attribute, self._after(getattr(owner, attribute), name))

        def write(books: Books, *, commit: bool) -> None:
            storage.write(books, commit=commit and not self.is_last)
            self.passed("written, not committed")

        vars(engine)["write"] = write

    def _after(self, function: Callable[..., Any], name: str) -> Callable[..., Any]:
        @wraps(function)
        def watched(*args: Any, **kwargs: Any) -> Any:
            result = function(*args, **kwargs)
            # Of all that is sent to the bank.
            if name != OPEN or args[2].endswith("/confirm"):
                self.passed(name)
            return result

        return watched


def order(*, cookies: dict[str, str], address: str, form: dict[str, str]) -> None:
    CLIENT.cookies.load(cookies)
    CLIENT.post(address, form)


def pay(*, address: str, token: str, key: str, body: dict[str, str]) -> None:
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": key}
    CLIENT.post(address, body, "application/json", headers=headers)


def settled(*, payment: str, **_: object) -> None:
    settle.settle(UUID(payment))


def cancel(*, order: str, payment: str, **_: object) -> None:
    cancelling.cancel(Order.objects.get(pk=order), reason="The shopper asked for it")
    settled(payment=payment)


WAYS: dict[str, Callable[..., None]] = {
    "order": order, "pay": pay, "settle": settled, "cancel": cancel,
}  # fmt: skip


def killed_at(step: int, way: str, given: dict[str, Any]) -> str:
    heard, names = os.pipe()
    child = os.fork()
    if not child:
        Steps(step, names).watch()
        WAYS[way](**given)
        os._exit(0)
    os.close(names)
    with os.fdopen(heard) as name:
        killed = name.read()
    _, status = os.waitpid(child, 0)
    assert status == (signal.SIGKILL if killed else 0), status
    return killed


def warm_up() -> None:
    """What each child would load anew. No connection is left to be shared."""
    setup_test_environment()
    CLIENT.handler.load_middleware()
    assert get_resolver().reverse_dict
    Order.objects.first()
    with suppress(ProviderError):
        provider("bank").look(uuid4(), "cs_of_nobody")
    connection.close()
    provider.cache_clear()
    # Otherwise a child's first collection would copy all memory.
    gc.freeze()


if __name__ == "__main__":
    warm_up()
    for line in sys.stdin:
        asked = json.loads(line)
        print(killed_at(asked.pop("step"), asked.pop("way"), asked), flush=True)

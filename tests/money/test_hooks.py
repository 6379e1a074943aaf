"""Webhooks at the shop's door: each is a hint to look at a payment, and changes nothing else."""

import json
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.http import HttpRequest
from django.test import Client
from django.utils import timezone

from allo.outbox.models import Message
from checkout import clock
from checkout.bank.hooks import signature
from checkout.models import Charge, Order, OrderEvent, OrderLine, Payment, Refund
from checkout.orders.views import MOST_OF_A_HOOK
from checkout.payments import providers
from inventory.models import Inventory, StockMovement
from reservations.models import Reservation
from tests.bank import HOOK_SECRET, BankProcess, running_bank
from tests.money.buying import SOLD, Purchase, buy
from tests.shopping import Page

pytestmark = pytest.mark.django_db(transaction=True)

EVERYTHING = (
    Charge, Inventory, Message, Order, OrderEvent, OrderLine, Refund, Reservation, StockMovement,
)  # fmt: skip
# Of a payment these two may change.
NOT_LOOKS = ("id", "session_ref", "url", "closed_at")


@pytest.fixture(scope="module")
def bank_process() -> Iterator[BankProcess]:
    """It writes its webhooks down, and sends none."""
    with running_bank("http://127.0.0.1:1/payments/hook/bank/") as bank:
        bank.faults(hooks="lose")
        yield bank


def written() -> dict[str, list[Any]]:
    found = {table.__name__: list(table.objects.order_by("pk").values()) for table in EVERYTHING}
    return found | {"Payment": list(Payment.objects.order_by("pk").values(*NOT_LOOKS))}


def event(payment_id: object) -> str:
    return about(metadata={"payment_id": str(payment_id)})


def about(**facts: object) -> str:
    return json.dumps({"object": "event", "type": "x", "data": {"object": facts}})


def told(body: str | bytes, *, secret: str = HOOK_SECRET, age: int = 0, name: str = "bank") -> Page:
    text = body if isinstance(body, str) else ""
    signed = signature(text, secret, int(time.time()) - age)
    return posted(body, signed, name)


def posted(body: str | bytes, signed: str, name: str = "bank") -> Page:
    return Client(enforce_csrf_checks=True).post(
        f"/payments/hook/{name}/",
        body,
        content_type="application/json",
        headers={"Stripe-Signature": signed},
    )


def events(bank: BankProcess, purchase: Purchase) -> list[str]:
    """What the bank has written of this payment, the first first; none of it was sent."""
    bodies = [row["body"] for row in bank.books("hook")[::-1]]
    return [body for body in bodies if str(purchase.payment.pk) in body]


@pytest.fixture
def put_off(bank, client) -> Purchase:
    """An open payment at which the clock would not look for a while."""
    purchase = buy(bank, client)
    Payment.objects.update(look_at="2999-01-01T00:00Z", looks=7)
    return purchase


def is_due(purchase: Purchase) -> bool:
    look_at = purchase.payment.look_at
    return look_at is not None and look_at <= timezone.now()


def test_lost_ones_are_not_needed(put_off) -> None:
    put_off.pays()
    assert not is_due(put_off)
    assert clock.settle_due() == 0
    Payment.objects.update(look_at=timezone.now())
    assert clock.settle_due() == 1
    assert put_off.order.state == "paid"


def test_doubled_and_reordered_they_are_one_hint(bank, put_off) -> None:
    reference = put_off.pays()
    before, news = written(), events(bank, put_off)
    assert len(news) == 2
    for body in [*news[::-1], *news]:
        assert told(body).status_code == 200
    assert written() == before
    assert (is_due(put_off), put_off.payment.looks) == (True, 0)
    assert clock.settle_due() == 1
    assert put_off.order.state == "paid"
    assert bank.moves(reference) == SOLD


def test_of_a_paid_order_they_change_nothing(bank, put_off) -> None:
    reference = put_off.pays()
    assert put_off.settle() == "paid"
    before, news = written(), events(bank, put_off)
    assert len(news) == 3
    for body in news:
        assert told(body).status_code == 200
        clock.settle_due()
    assert written() == before
    assert bank.moves(reference) == SOLD


@pytest.mark.parametrize("deed", ["refund", "dispute"])
def test_what_happens_to_money_leads_to_its_payment_without_a_call(bank, put_off, deed) -> None:
    """These messages name the money only. A web thread does not wait for a bank that is away."""
    reference = put_off.pays()
    assert put_off.settle() == "paid"
    Payment.objects.update(look_at=None)
    bank.control(f"intents/{reference}/{deed}")
    body = bank.books("hook")[0]["body"]
    assert str(put_off.payment.pk) not in body
    with bank.fault(down=True):
        assert told(body).status_code == 200
    assert is_due(put_off)


def is_not_a_hint(put_off: Purchase, answer: Page, status: int) -> None:
    assert answer.status_code == status
    assert not is_due(put_off)
    assert put_off.payment.looks == 7


def test_what_the_bank_did_not_send_just_now_is_no_hint(put_off, monkeypatch) -> None:
    body, before = event(put_off.payment.pk), written()
    put_off.pays()
    now = int(time.time())
    is_not_a_hint(put_off, told(body, secret="whsec_of_another_shop"), 400)
    is_not_a_hint(put_off, told(body, secret=""), 400)
    is_not_a_hint(put_off, told(body, age=301), 400)
    is_not_a_hint(put_off, posted(body + " ", signature(body, HOOK_SECRET, now)), 400)
    is_not_a_hint(put_off, told("no JSON"), 400)
    is_not_a_hint(put_off, told(b"\xff\xfe"), 400)
    is_not_a_hint(put_off, told(event(uuid4())), 200)
    is_not_a_hint(put_off, told(event("7")), 200)
    is_not_a_hint(put_off, told(body, name="nobody"), 404)
    is_not_a_hint(put_off, told(body, name="none"), 400)
    is_not_a_hint(put_off, told(about(payment_intent="pi_of_another_shop")), 200)
    is_not_a_hint(put_off, told(about(payment_intent="")), 200)
    is_not_a_hint(put_off, told(body + " " * MOST_OF_A_HOOK), 413)
    is_not_a_hint(put_off, Client().get("/payments/hook/bank/"), 405)
    monkeypatch.setattr(HttpRequest, "read", lambda *_: pytest.fail("it was read"))
    is_not_a_hint(put_off, posted(body, ""), 400)
    assert written() == before


@pytest.mark.parametrize("name", ["stripe", "bank"])
def test_a_provider_without_a_secret_believes_nobody(put_off, settings, name) -> None:
    """An empty secret is one that everybody knows."""
    settings.STRIPE_WEBHOOK_SECRET = settings.BANK_WEBHOOK_SECRET = ""
    settings.STRIPE_SECRET_KEY = ""
    providers.provider.cache_clear()
    is_not_a_hint(put_off, told(event(put_off.payment.pk), secret="", name=name), 400)

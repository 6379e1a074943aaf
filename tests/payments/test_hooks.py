"""Webhooks of the bank, sent over HTTP and read by the adapter: a hint, and nothing more."""

import json
import time
from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest
import stripe

from checkout.payments.base import BadHook, Hint
from tests.bank import HOOK_SECRET, BankProcess, running_bank
from tests.payments.conftest import Payment
from tests.payments.receiver import Receiver, receiver


@pytest.fixture(scope="module")
def shop() -> Iterator[Receiver]:
    with receiver() as shop:
        yield shop


@pytest.fixture(scope="module")
def announcing_bank(shop: Receiver) -> Iterator[BankProcess]:
    with running_bank(f"{shop.url}/payments/hook/bank/") as bank:
        yield bank


@pytest.fixture
def payment(shop: Receiver, announcing_bank: BankProcess) -> Payment:
    shop.posts.clear()
    return Payment(announcing_bank, announcing_bank.provider())


def kinds(posts: list[tuple[bytes, str]]) -> list[str]:
    return [json.loads(body)["type"] for body, _ in posts]


def signed(body: str, *, age: int = 0, secret: str = HOOK_SECRET) -> tuple[bytes, str]:
    at = int(time.time()) - age
    header = stripe.WebhookSignature.generate_signature_header(body, secret, at)
    return body.encode(), header


def event(**about: object) -> str:
    return json.dumps({"object": "event", "type": "x", "data": {"object": about}})


def test_every_event_leads_to_its_payment(payment, shop, announcing_bank) -> None:
    reference = payment.captured()
    payment.provider.refund(reference, uuid4(), 100)
    announcing_bank.control(f"intents/{reference}/dispute")
    posts = shop.wait(5)
    assert kinds(posts) == [
        "payment_intent.amount_capturable_updated",
        "checkout.session.completed",
        "payment_intent.succeeded",
        "refund.created",
        "charge.dispute.created",
    ]
    hints = [payment.provider.hint(*post) for post in posts]
    assert {hint.payment_id for hint in hints[:3]} == {payment.invitation.payment_id}
    assert hints[3:] == [Hint(reference=reference)] * 2


def test_a_session_that_was_closed_is_announced(payment, shop) -> None:
    payment.provider.close(payment.session.reference)
    (post,) = shop.wait(1)
    assert kinds([post]) == ["checkout.session.expired"]
    assert payment.provider.hint(*post) == Hint(payment_id=payment.invitation.payment_id)


GOOD = event(metadata={"payment_id": str(UUID(int=1))})


@pytest.mark.parametrize(
    ("body", "signature"),
    [
        pytest.param(*signed(GOOD, age=301), id="aged"),
        pytest.param(*signed(GOOD, secret="whsec_foreign"), id="foreign"),
        pytest.param(GOOD.encode() + b" ", signed(GOOD)[1], id="changed"),
        pytest.param(GOOD.encode(), "", id="unsigned"),
        pytest.param(GOOD.encode(), "t=never,v1=00", id="no time"),
        pytest.param(GOOD.encode(), "t=1,v0=00", id="no signature"),
        pytest.param(b"\xff\xfe", signed(GOOD)[1], id="no text"),
        pytest.param(*signed("no JSON"), id="no JSON"),
        pytest.param(*signed("[]"), id="no object"),
        pytest.param(*signed("null"), id="nothing"),
        pytest.param(*signed('{"data": 7}'), id="no data"),
        pytest.param(*signed('{"data": {}}'), id="no subject"),
    ],
)
def test_a_webhook_that_the_bank_did_not_send_just_now_is_bad(provider, body, signature) -> None:
    with pytest.raises(BadHook):
        provider.hint(body, signature)


def test_a_webhook_of_the_last_minutes_is_read(provider) -> None:
    assert provider.hint(*signed(GOOD, age=280)) == Hint(payment_id=UUID(int=1))


@pytest.mark.parametrize(
    "about", [{}, {"metadata": None}, {"metadata": {"payment_id": "7"}}, {"payment_intent": None}]
)
def test_a_webhook_of_something_else_is_no_hint(provider, about) -> None:
    assert provider.hint(*signed(event(**about))) == Hint()


def test_a_lost_webhook_comes_when_it_is_sent_again(payment, shop, announcing_bank) -> None:
    with announcing_bank.fault(hooks="lose"):
        payment.provider.close(payment.session.reference)
    assert announcing_bank.books("hook")[0]["state"] == "lost"
    assert shop.posts == []
    announcing_bank.control("hooks/send")
    (post,) = shop.wait(1)
    assert payment.provider.hint(*post) == Hint(payment_id=payment.invitation.payment_id)


def test_a_webhook_comes_twice_as_the_same_event(payment, shop, announcing_bank) -> None:
    with announcing_bank.fault(hooks="twice"):
        payment.provider.close(payment.session.reference)
        (first, _), (second, _) = shop.wait(2)
    assert json.loads(first)["id"] == json.loads(second)["id"]


def test_webhooks_come_out_of_order(payment, shop, announcing_bank) -> None:
    with announcing_bank.fault(hooks="reverse"):
        payment.pays()
        posts = shop.wait(2)
    assert kinds(posts) == [
        "checkout.session.completed",
        "payment_intent.amount_capturable_updated",
    ]


def test_a_webhook_that_waits_does_not_hold_up_the_bank(payment, shop, announcing_bank) -> None:
    with announcing_bank.fault(hooks=60):
        payment.provider.close(payment.session.reference)
    assert announcing_bank.books("hook")[0]["state"] == "due"
    other = Payment(announcing_bank, payment.provider)
    other.provider.close(other.session.reference)
    (post,) = shop.wait(1)
    assert payment.provider.hint(*post).payment_id == other.invitation.payment_id


def test_a_webhook_that_the_shop_refuses_is_sent_again(payment, shop) -> None:
    shop.statuses = [503]
    payment.provider.close(payment.session.reference)
    (first, _), (second, _) = shop.wait(2)
    assert first == second

"""A bank that is slow or away, and a shop whose setting changes, while payments are open."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event, Semaphore
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client

from checkout import clock, looking
from checkout.models import Charge, Order, Payment
from checkout.payments import providers
from checkout.payments.stripe import Stripe
from inventory.models import Inventory
from tests.bank import BankProcess
from tests.money.buying import SOLD, buy, press_pay
from tests.shopping import Page, holding
from tests.stock import all_at_once, reprice, stocked

pytestmark = pytest.mark.django_db(transaction=True)


def sessions_of(bank: BankProcess, order: Order) -> list[dict[str, Any]]:
    return [row for row in bank.books("session") if row["reference"] == order.number]


def test_an_open_payment_is_settled_by_its_own_provider_whatever_the_setting_says(
    bank, client, settings
) -> None:
    purchase = buy(bank, client)
    settings.PAYMENT_PROVIDER = "none"
    providers.provider.cache_clear()
    again = client.post(f"/orders/{purchase.order.number}/pay/")
    assert again.headers["Location"] == purchase.payment.url
    reference = purchase.pays()
    Payment.objects.update(look_at="2020-01-01T00:00Z")
    clock.settle_due()
    assert purchase.order.state == "paid"
    assert bank.moves(reference) == SOLD
    # What is ordered from now on is paid on delivery.
    later = press_pay(client, holding(client, stocked(1, product="other")))
    assert later.headers["Location"].startswith("/orders/AL-")
    assert set(Charge.objects.values_list("provider", flat=True)) == {"bank", "none"}


@pytest.mark.parametrize("fault", ["lose_answers", "killed"])
def test_a_page_whose_address_was_lost_is_opened_again_and_not_twice(bank, client, fault) -> None:
    """Also if what it was made from is called and costs something else now."""
    hold = holding(client, row := stocked(5))
    with bank.fault(lose_answers=True):
        answer = press_pay(client, hold)
    order = Order.objects.get()
    assert answer.headers["Location"] == f"/orders/{order.number}/"
    (session,) = sessions_of(bank, order)
    assert order.payments.get().session_ref is None
    if fault == "killed":
        bank.kill()
        assert client.post(f"/orders/{order.number}/pay/").headers["Location"].startswith("/orders")
        bank.start()
    reprice(row, 999_900, "Another name")
    again = client.post(f"/orders/{order.number}/pay/")
    assert again.headers["Location"] == f"{bank.url}/pay/{session['id']}"
    assert len(sessions_of(bank, order)) == 1
    assert order.payments.get().session_ref == session["id"]


def test_money_that_could_not_be_decided_about_keeps_its_payment_open(
    bank, client, settings
) -> None:
    """Otherwise its shopper would be sent to pay once more."""
    settings.LOCK_TIMEOUT_MS = 200
    purchase = buy(bank, client)
    purchase.pays()
    with transaction.atomic():
        Inventory.objects.select_for_update().get(pk=purchase.row.pk)
        assert all_at_once(1, lambda _: purchase.settle()) == ["open"]
    payment = purchase.payment
    assert (payment.closed_at, Charge.objects.count()) == (None, 0)
    again = client.post(f"/orders/{purchase.order.number}/pay/")
    assert again.headers["Location"] == payment.url
    assert purchase.settle() == "paid"
    assert Payment.objects.count() == 1


class Gate:
    """Before the bank is looked at, a slow network: `entered` counts those who wait there."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.entered, self.opened = Semaphore(0), Event()
        look = Stripe.look

        def slow(*args: Any) -> Any:
            self.entered.release()
            assert self.opened.wait(60)
            return look(*args)

        monkeypatch.setattr(Stripe, "look", slow)


def test_a_slow_bank_leaves_the_shop_free(bank, client, monkeypatch) -> None:
    """Four requests of a process wait for it at the most; the others say that it is asked."""
    purchase = buy(bank, client)
    purchase.pays()
    own = f"/orders/{purchase.order.number}/"

    def comes_back() -> Page:
        shopper = Client()
        shopper.cookies = client.cookies
        try:
            return shopper.get(f"{own}paid/")
        finally:
            connection.close()

    gate = Gate(monkeypatch)
    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(comes_back) for _ in range(looking.PLACES)]
        for _ in waiting:
            assert gate.entered.acquire(timeout=60)
        others = [pool.submit(comes_back).result(60) for _ in range(4)]
        assert [answer.headers["Location"] for answer in others] == [f"{own}?returned=1"] * 4
        assert client.get(f"{own}?returned=1").status_code == 200
        assert client.get("/p/tidal/reserve/").status_code == 200
        assert [answer.done() for answer in waiting] == [False] * looking.PLACES
        gate.opened.set()
        assert {answer.result(60).headers["Location"] for answer in waiting} == {own}
    assert purchase.order.state == "paid"
    assert looking._places._value == looking.PLACES


def test_too_many_who_begin_to_pay_at_a_slow_bank_are_told_and_lose_nothing(
    bank, client, monkeypatch
) -> None:
    hold = holding(client, stocked(5))
    monkeypatch.setattr(looking, "PATIENCE", 0)
    turns = [looking._turns.acquire(blocking=False) for _ in range(looking.TURNS)]
    assert turns == [True] * looking.TURNS
    answer = press_pay(client, hold)
    for _ in turns:
        looking._turns.release()
    order = Order.objects.get()
    assert answer.headers["Location"] == f"/orders/{order.number}/"
    assert (
        "We could not open the page where you pay."
        in client.get(f"/orders/{order.number}/").content.decode()
    )
    again = client.post(f"/orders/{order.number}/pay/")
    assert again.headers["Location"].startswith(bank.url)

"""A bank that is slow or away, and a shop whose setting changes, while payments are open."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from threading import BoundedSemaphore, Event, Semaphore
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client

from allo.outbox.models import Message
from checkout import clock, closing, looking
from checkout.models import Charge, Order, Payment
from checkout.orders import opening, reading
from checkout.payments import providers
from checkout.payments.base import Unreachable
from checkout.payments.stripe import Stripe
from inventory.models import Inventory
from reservations.clock.expiry import expire_due
from reservations.models import Reservation
from reservations.staff import cooldowns
from tests.bank import BankProcess
from tests.checkout.test_pages_bag import pay
from tests.money.buying import SOLD, Purchase, buy, miss, press_pay
from tests.shopping import Page, holding, press_reserve
from tests.stock import all_at_once, pass_time, reprice, stocked

pytestmark = pytest.mark.django_db(transaction=True)


def sessions_of(bank: BankProcess, order: Order) -> list[dict[str, Any]]:
    return [row for row in bank.books("session") if row["reference"] == order.number]


def test_an_open_payment_is_settled_by_its_own_provider_whatever_the_setting_says(
    bank, client, settings, monkeypatch
) -> None:
    purchase = buy(bank, client)
    settings.PAYMENT_PROVIDER = "none"
    providers.provider.cache_clear()
    own = f"/orders/{purchase.order.number}/"
    assert client.post(f"{own}pay/").headers["Location"] == purchase.payment.url
    # It waits for its turn as well, although what is paid on delivery need not.
    with no_turns(monkeypatch):
        assert client.post(f"{own}pay/").headers["Location"] == own
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


def test_a_page_that_was_not_opened_in_time_is_followed_by_one_that_lasts(bank, client) -> None:
    """The hold was lengthened meanwhile, but the bank opens no page that ends so soon."""
    hold = holding(client, row := stocked(5))
    with bank.fault(down=True):
        press_pay(client, hold)
    order = Order.objects.get()
    miss(missed := order.payments.get())
    again = client.post(f"/orders/{order.number}/pay/")
    assert again.headers["Location"].startswith(f"{bank.url}/pay/")
    purchase = Purchase(bank, client, row, hold, order.pk)
    assert purchase.payment.url == again.headers["Location"]
    missed.refresh_from_db()
    assert (missed.session_ref, missed.closed_at is None) == (None, False)
    purchase.pays()
    assert purchase.settle() == "paid"


def test_a_page_that_is_opened_at_the_last_moment_is_not_replaced(
    bank, client, monkeypatch
) -> None:
    """By another request, just before this one would close it."""
    hold = holding(client, stocked(5))
    with bank.fault(down=True):
        press_pay(client, hold)
    payment = Payment.objects.get()
    miss(payment)
    close_missed = closing.close_missed

    def opens_meanwhile(missed: Payment) -> bool:
        Payment.objects.update(session_ref="cs_1", url=f"{bank.url}/pay/cs_1")
        return close_missed(missed)

    monkeypatch.setattr(closing, "close_missed", opens_meanwhile)
    (last,) = reading.last_payment(payment.order.number)
    assert opening.payable(last) == payment
    assert Payment.objects.get(closed_at=None) == payment


def test_a_page_that_ended_at_the_bank_is_followed_by_one_under_a_key_of_its_own(
    bank, client
) -> None:
    purchase = buy(bank, client)
    ended = purchase.payment
    bank.control(f"sessions/{ended.session_ref}/expire")
    assert purchase.settle() == "open"
    again = client.post(f"/orders/{purchase.order.number}/pay/")
    assert again.headers["Location"] == purchase.payment.url != ended.url
    assert bank.moves(purchase.pays()) == SOLD[:1]
    assert purchase.settle() == "paid"
    assert list(purchase.order.payments.exclude(closed_at=None)) == [purchase.payment, ended]


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


def test_a_payment_whose_stock_is_locked_is_not_closed_and_the_page_says_so(
    bank, client, settings
) -> None:
    settings.LOCK_TIMEOUT_MS = 200
    purchase = buy(bank, client)
    own = f"/orders/{purchase.order.number}/drop/"

    def close(_: int) -> tuple[int, bool]:
        answer: Page = client.post(own)
        return answer.status_code, "Retry-After" in answer.headers

    with transaction.atomic():
        Inventory.objects.select_for_update().get(pk=purchase.row.pk)
        assert all_at_once(1, close) == [(503, True)]
    assert purchase.order.state == "open"
    assert client.post(own).status_code == 303
    assert purchase.order.state == "dropped"


def test_a_lapsed_order_whose_stock_is_locked_is_cancelled_by_a_later_look(
    bank, client, monkeypatch
) -> None:
    purchase = buy(bank, client)
    reference = purchase.pays()
    with monkeypatch.context() as away:
        away.setattr(Stripe, "capture", unreachable)
        assert client.get(f"/orders/{purchase.order.number}/paid/").status_code == 303
    bank.control(f"intents/{reference}/lapse")

    def comes_back(_: int) -> int:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '50ms'")
        return int(client.get(f"/orders/{purchase.order.number}/paid/").status_code)

    with transaction.atomic():
        Inventory.objects.select_for_update().get(pk=purchase.row.pk)
        assert all_at_once(1, comes_back) == [303]
    assert (purchase.order.state, purchase.units) == ("placed", (4, 0))
    assert purchase.settle() == "cancelled"
    assert purchase.units == (5, 0)


def unreachable(*_: object) -> None:
    raise Unreachable("away")


@pytest.mark.parametrize(("fault", "status"), [("down", 303), ("too_many", 409)])
def test_a_buyer_who_cannot_pay_at_a_bank_that_is_away_does_not_cool_down(
    bank, client, settings, fault, status
) -> None:
    """That too many call it is no excuse: a shopper could bring that about."""
    settings.RESERVATION_COOL_DOWN_MINUTES = [5]
    row = stocked(9)
    for _ in range(2):
        hold = holding(client, row)
        with bank.fault(**{fault: True}):
            press_pay(client, hold)
        lapse(hold)
    assert (list(cooldowns.cooling_now()) == []) is (fault == "down")
    assert press_reserve(client, row).status_code == status


def test_a_buyer_who_paid_at_a_bank_that_is_away_since_does_not_cool_down(
    bank, client, settings
) -> None:
    settings.RESERVATION_COOL_DOWN_MINUTES = [5]
    row = stocked(9)
    for _ in range(2):
        purchase = buy(bank, client, row)
        purchase.pays()
        with bank.fault(down=True):
            assert client.get(f"/orders/{purchase.order.number}/paid/").status_code == 303
            lapse(purchase.hold)
        assert purchase.settle() == "dropped"
    holding(client, row)


def test_an_order_whose_hold_ended_is_dropped_although_the_bank_is_away(bank, client) -> None:
    """What else was on it is free to be ordered again. Money that came late is given back."""
    rows = [stocked(5, product=name) for name in ("one", "two")]
    first, second = (holding(client, row) for row in rows)
    assert pay(client, first, second).headers["Location"].startswith(bank.url)
    purchase = Purchase(bank, client, rows[1], second, Order.objects.get().pk)
    pass_time(901, pk=first.pk)
    with bank.fault(down=True):
        looked = clock.settle_due()
        assert purchase.order.state == "dropped"
        second.refresh_from_db()
        assert (second.status, second.paying_since) == ("pending", None)
        # Once more to close its page. Then it waits, as any payment whose bank does not answer.
        assert (looked, clock.settle_due(), clock.settle_due()) == (1, 1, 0)
    purchase.pays()
    assert purchase.settle() == "dropped"
    assert purchase.moves() == [[("authorised", 770_000), ("released", 770_000)]]


def test_that_the_bank_is_away_is_heard_although_the_hold_is_locked(bank, client) -> None:
    purchase = buy(bank, client)
    purchase.pays()

    def comes_back(_: int) -> int:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '50ms'")
        return int(client.get(f"/orders/{purchase.order.number}/paid/").status_code)

    with bank.fault(down=True), transaction.atomic():
        Reservation.objects.select_for_update().get(pk=purchase.hold.pk)
        assert all_at_once(1, comes_back) == [303]
    assert purchase.settle() == "paid"


def lapse(hold: Reservation) -> None:
    pass_time(3600, pk=hold.pk)
    expire_due()


def test_without_redis_and_the_clock_it_is_ordered_paid_and_settled(
    bank, client, without_redis
) -> None:
    purchase = buy(bank, client)
    reference = purchase.pays()
    returned = client.get(f"/orders/{purchase.order.number}/paid/")
    assert returned.headers["Location"] == f"/orders/{purchase.order.number}/"
    assert purchase.order.state == "paid"
    assert bank.moves(reference) == SOLD
    # It waits for its worker.
    assert Message.objects.get().kind == "receipt"


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


class Returning:
    """A buyer who comes back from the bank, in as many tabs as one likes."""

    def __init__(self, purchase: Purchase) -> None:
        self.order = f"/orders/{purchase.order.number}/"
        self._cookies = purchase.client.cookies
        self._pool = ThreadPoolExecutor(2 * looking.PLACES)

    def tabs(self, number: int) -> list[Future[str]]:
        return [self._pool.submit(self._comes_back) for _ in range(number)]

    def _comes_back(self) -> str:
        """To which address it leads."""
        shopper = Client()
        shopper.cookies = self._cookies
        try:
            return shopper.get(f"{self.order}paid/").headers["Location"]
        finally:
            connection.close()


def led_to(tabs: list[Future[str]], seconds: int) -> list[str]:
    """Where, if they do not wait any longer."""
    done, late = wait(tabs, timeout=seconds)
    assert not late, f"{len(late)} of {len(tabs)} wait for the bank"
    return [tab.result() for tab in done]


def test_a_slow_bank_leaves_the_shop_free(bank, client, monkeypatch) -> None:
    """Four requests of a process wait for it at the most; the others say that it is asked."""
    purchase = buy(bank, client)
    purchase.pays()
    buyer, gate = Returning(purchase), Gate(monkeypatch)
    try:
        waiting = buyer.tabs(looking.PLACES)
        for _ in waiting:
            assert gate.entered.acquire(timeout=60)
        asked = f"{buyer.order}?returned=1"
        assert led_to(buyer.tabs(4), seconds=60) == [asked] * 4
        assert client.get(asked).status_code == 200
        assert client.get("/p/tidal/reserve/").status_code == 200
        assert [tab.done() for tab in waiting] == [False] * looking.PLACES
    finally:
        gate.opened.set()
    assert set(led_to(waiting, seconds=60)) == {buyer.order}
    assert purchase.order.state == "paid"
    assert looking._places._value == looking.PLACES


@pytest.mark.parametrize("waits", ["for the bank", "for a place"])
def test_without_a_limit_all_would_wait_for_a_slow_bank(bank, client, monkeypatch, waits) -> None:
    """The negative control."""
    purchase = buy(bank, client)
    places = BoundedSemaphore(9 if waits == "for the bank" else 1)
    patient = SimpleNamespace(acquire=lambda **_: places.acquire(), release=places.release)
    monkeypatch.setattr(looking, "_places", patient)
    buyer, gate = Returning(purchase), Gate(monkeypatch)
    try:
        tabs = buyer.tabs(2)
        assert gate.entered.acquire(timeout=60)
        with pytest.raises(AssertionError, match="2 of 2 wait for the bank"):
            led_to(tabs, seconds=1)
    finally:
        gate.opened.set()
    assert len(led_to(tabs, seconds=60)) == 2


@contextmanager
def no_turns(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As many as may have begun to pay at a slow bank."""
    monkeypatch.setattr(looking, "PATIENCE", 0)
    turns = [looking._turns.acquire(blocking=False) for _ in range(looking.TURNS)]
    assert turns == [True] * looking.TURNS
    yield
    for _ in turns:
        looking._turns.release()


def test_too_many_who_begin_to_pay_at_a_slow_bank_are_told_and_lose_nothing(
    bank, client, monkeypatch
) -> None:
    hold = holding(client, stocked(5))
    with no_turns(monkeypatch):
        answer = press_pay(client, hold)
    order = Order.objects.get()
    assert answer.headers["Location"] == f"/orders/{order.number}/"
    assert (
        "We could not open the page where you pay."
        in client.get(f"/orders/{order.number}/").content.decode()
    )
    again = client.post(f"/orders/{order.number}/pay/")
    assert again.headers["Location"].startswith(bank.url)

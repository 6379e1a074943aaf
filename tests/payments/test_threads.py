"""One adapter serves all threads of a process: none gets the answer of another."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from checkout.payments.base import Declined, Item
from tests.payments.conftest import Payment, pay

pytestmark = pytest.mark.race


def test_each_thread_pays_its_own_amount(bank, provider) -> None:
    def paid(paise: int) -> tuple[int, int]:
        item = Item(name="Tidal", unit_paise=paise, quantity=1)
        payment = Payment(bank, provider, items=(item,), shipping_paise=0)
        payment.pays()
        return paise, payment.money.amount

    with ThreadPoolExecutor(8) as pool:
        for price, amount in pool.map(paid, range(100, 164)):
            assert price == amount


def test_many_who_refund_the_same_at_once_make_one(bank, payment) -> None:
    reference, refund_id = payment.captured(), uuid4()
    with ThreadPoolExecutor(8) as pool:
        made = set(
            pool.map(lambda _: payment.provider.refund(reference, refund_id, 500), range(16))
        )
    assert len(made) == 1
    assert bank.moves(reference)[2:] == [("refunded", 500)]


def test_many_who_capture_at_once_capture_once(bank, payment) -> None:
    reference = payment.pays()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: payment.provider.capture(reference, payment.total), range(16)))
    assert bank.moves(reference)[1:] == [("captured", payment.total)]


def test_many_who_pay_at_once_pay_once(bank, provider, invitation) -> None:
    with ThreadPoolExecutor(8) as pool:
        references = set(pool.map(lambda _: pay(provider, invitation), range(16)))
    (reference,) = references
    assert bank.moves(reference) == [("authorised", invitation.total_paise)]


def test_many_who_are_declined_at_once_are_tried_once(bank, provider, invitation) -> None:
    def declined(_: int) -> bool:
        with pytest.raises(Declined):
            pay(provider, invitation, "pm_card_chargeDeclined")
        return True

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(declined, range(16)))
    reference = provider.prepare(invitation).reference
    assert len(bank.books("charge", intent=reference)) == 1
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: provider.close(reference), range(16)))

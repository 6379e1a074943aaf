"""One adapter serves all threads of a process: none gets the answer of another."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from checkout.payments.base import Item
from tests.payments.conftest import Payment

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

"""Orders that are paid at the same moment, and their invoices' numbers."""

from threading import Barrier

import pytest
from django.db import IntegrityError, OperationalError, connection, transaction

from allo.outbox.models import Message
from checkout import recording
from checkout.models import InvoiceCounter, Order, Payment
from checkout.orders import serials
from checkout.payments.base import Seen, SessionState
from tests.checkout.orders import brought, opened
from tests.shopping import holding
from tests.stock import all_at_once, stocked

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]

AT_ONCE = 8
CAPTURED = Seen(session=SessionState.COMPLETE, money=())
# Reads the last number of the year, and neither locks nor counts it.
UNLOCKED = """
    SELECT count(invoice_number) + 1 FROM checkout_order WHERE extract(year FROM paid_at) >= %s
"""


@pytest.fixture
def placed(client, settings) -> list[Payment]:
    """Of orders whose money is captured, and not yet recorded."""
    settings.SELLER_GSTIN = "29ABCDE1234F1Z5"
    settings.SELLER_NAME, settings.SELLER_ADDRESS = "Allo & Daughters", "14 Lake Road, Bengaluru"
    rows = [stocked(5, product=f"p{number}") for number in range(AT_ONCE)]
    orders = [brought(opened(holding(client, row)), "placed") for row in rows]
    return [order.payments.get() for order in orders]


def numbers() -> list[int]:
    paid = Order.objects.filter(state="paid").values_list("invoice_number", flat=True)
    return sorted(int(number.rpartition("/")[2]) for number in paid if number)


def test_orders_paid_at_once_get_consecutive_numbers_though_some_are_rolled_back(placed) -> None:
    def pay(number: int) -> None:
        with transaction.atomic():
            recording.record(placed[number], CAPTURED)
            transaction.set_rollback(number % 3 == 0)

    assert all_at_once(AT_ONCE, pay) == [None] * AT_ONCE
    assert numbers() == [1, 2, 3, 4, 5]
    for number in (0, 3, 6):
        recording.record(placed[number], CAPTURED)
    assert numbers() == [1, 2, 3, 4, 5, 6, 7, 8]


def test_without_the_counters_lock_the_database_refuses_the_second_order_of_a_number(
    placed, monkeypatch
) -> None:
    """The negative control: all have read the last number before one of them commits."""
    together, written = Barrier(AT_ONCE), serials.written

    def all_have_read(year: int, serial: int) -> str:
        together.wait(timeout=60)
        return written(year, serial)

    monkeypatch.setattr(serials, "NEXT", UNLOCKED)
    monkeypatch.setattr(serials, "written", all_have_read)
    outcomes = all_at_once(AT_ONCE, lambda number: recording.record(placed[number], CAPTURED))
    refused = [outcome for outcome in outcomes if isinstance(outcome, IntegrityError)]
    assert len(refused) == AT_ONCE - 1
    assert all("invoice_number" in str(error) for error in refused)
    assert numbers() == [1]


def test_while_the_counter_stays_locked_nothing_is_paid_and_afterwards_no_number_is_missing(
    placed,
) -> None:
    recording.record(placed[0], CAPTURED)

    def busy(_: int) -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '50ms'")
            recording.record(placed[1], CAPTURED)

    with transaction.atomic():
        list(InvoiceCounter.objects.select_for_update())
        [refused] = all_at_once(1, busy)
    assert isinstance(refused, OperationalError)
    assert numbers() == [1]
    assert Message.objects.filter(kind="receipt").count() == 1
    recording.record(placed[1], CAPTURED)
    assert numbers() == [1, 2]

"""Limits over several rows, which no lock of a row protects."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import transaction
from django.db.models import Sum

from catalog.models import Product
from reservations import services
from reservations.engine import locks as engine_locks
from reservations.engine.commands import Holder
from reservations.exceptions import LimitReached
from reservations.models import Reservation
from tests.running import wait_for
from tests.server import somebody_waits
from tests.stock import all_at_once, stocked

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]

ACCOUNT = "user:7"


def two_browsers_at_once(monkeypatch: pytest.MonkeyPatch) -> tuple[object, int]:
    """What the second got that came before the first's commit, from another warehouse; and the
    units held then."""
    monkeypatch.setattr(engine_locks, "BRIEFLY_MS", 20_000)
    rows = [stocked(9, warehouse=f"w-{n}") for n in range(2)]
    Product.objects.update(max_per_customer=2)

    def reserve(number: int) -> Reservation:
        row, browser = rows[number], f"visitor:{number}"
        holder = Holder(ACCOUNT, others=(browser,))
        return services.reserve_in(rows=(row.pk,), quantity=2, holder=holder)

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            reserve(0)
            second = pool.submit(all_at_once, 1, lambda _: reserve(1))
            wait_for(lambda: somebody_waits() or second.done(), seconds=10, every=0.01)
        (outcome,) = second.result()
    return outcome, Reservation.objects.aggregate(units=Sum("quantity"))["units"]


def test_two_browsers_of_one_account_get_what_one_customer_may_have(monkeypatch) -> None:
    outcome, units = two_browsers_at_once(monkeypatch)
    assert isinstance(outcome, LimitReached)
    assert units == 2


def test_without_the_lock_of_the_accounts_name_they_get_twice_as_much(monkeypatch) -> None:
    """The control of the test above."""
    monkeypatch.setattr(engine_locks, "_advisory", lambda _: None)
    outcome, units = two_browsers_at_once(monkeypatch)
    assert isinstance(outcome, Reservation)
    assert units == 4

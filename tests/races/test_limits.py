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

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.race,
    pytest.mark.usefixtures("unhurried"),
]


def one_customer(number: int) -> Holder:
    """Two browsers of one account."""
    return Holder("user:7", others=(f"visitor:{number}",))


def one_network(number: int) -> Holder:
    return Holder(f"visitor:{number}", "192.0.2.1/32")


# Whose limit of 2 units both callers have: of a customer, a shopper, or a network.
SHARED = {
    "max_per_customer": one_customer,
    "RESERVATION_MAX_SHARE": one_customer,
    "network_share": one_network,
}
shared = pytest.mark.parametrize("limit", SHARED)


def two_at_once(limit: str, settings) -> tuple[object, int]:
    """What the second got that came before the first's commit, from another warehouse; and the
    units held then."""
    rows = [stocked(4, warehouse=f"w-{n}") for n in range(2)]
    if limit == "max_per_customer":
        Product.objects.update(max_per_customer=2)
    else:
        settings.RESERVATION_MAX_SHARE = 25

    def reserve(number: int) -> Reservation:
        holder = SHARED[limit](number)
        return services.reserve_in(rows=(rows[number].pk,), quantity=2, holder=holder)

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            reserve(0)
            second = pool.submit(all_at_once, 1, lambda _: reserve(1))
            wait_for(lambda: somebody_waits() or second.done(), every=0.01)
        (outcome,) = second.result()
    return outcome, Reservation.objects.aggregate(units=Sum("quantity"))["units"]


@shared
def test_two_at_once_get_what_they_may_have_together(limit, settings) -> None:
    outcome, units = two_at_once(limit, settings)
    assert isinstance(outcome, LimitReached)
    assert (outcome.limit, units) == (limit, 2)


@shared
def test_without_the_locks_of_their_names_they_get_twice_as_much(
    limit, monkeypatch, settings
) -> None:
    """The control of the test above."""
    monkeypatch.setattr(engine_locks, "_advisory", lambda _: None)
    outcome, units = two_at_once(limit, settings)
    assert isinstance(outcome, Reservation)
    assert units == 4

"""An order that is cancelled while the first of its parcels leaves: nothing that is on its way goes
back on the shelf."""

from threading import Event

import pytest
from django.contrib.auth.models import User
from django.db import transaction

from checkout.exceptions import NotThatState
from checkout.models import Order
from checkout.orders import cancelling, fulfilling, refunding, restocking
from inventory.exceptions import Busy
from inventory.models import StockMovement
from reservations.engine import locks
from tests.checkout.orders import brought, opened
from tests.reservations.test_verbs import hold
from tests.running import PATIENCE, wait_for
from tests.server import somebody_waits
from tests.stock import all_at_once, stocked

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.race,
    pytest.mark.usefixtures("unhurried"),
]


@pytest.fixture
def order() -> Order:
    """Packed, of two parcels."""
    here, there = stocked(5), stocked(5, product="bowl", warehouse="del-01")
    return brought(opened(hold(here), hold(there)), "packed")


def cancel_while_a_parcel_leaves(order: Order) -> object:
    """The parcel is written but not committed as the cancel begins; what the cancel raised."""
    actor = User.objects.create_user("asha")
    first = order.order_lines.order_by("pk")[0].reservation.inventory.warehouse
    written = Event()

    def one(caller: int) -> None:
        if caller:
            written.wait(PATIENCE)
            cancelling.cancel(order, reason="Late", actor=actor)
            return
        with transaction.atomic():
            fulfilling.ship(order, warehouse=first, carrier="Blue Dart", actor=actor)
            written.set()
            wait_for(somebody_waits)

    shipped, cancelled = all_at_once(2, one)
    assert shipped is None
    order.refresh_from_db()
    assert order.state == "packed"
    assert not StockMovement.objects.filter(reason="returned").exists()
    return cancelled


def test_a_cancel_waits_for_the_parcel_and_does_nothing(order) -> None:
    assert isinstance(cancel_while_a_parcel_leaves(order), NotThatState)


def test_without_the_lock_only_the_database_refuses_it(order, monkeypatch) -> None:
    monkeypatch.setattr(cancelling, "_lock", lambda order: order)
    refusal = cancel_while_a_parcel_leaves(order)
    assert "cancelled_is_still_here" in str(refusal)


@pytest.mark.parametrize("act", ["cancel", "restock"])
def test_what_has_its_stock_locked_waits_for_its_order_only_briefly(
    order, act, monkeypatch
) -> None:
    """Otherwise a transaction that keeps an order locked would stop the sale of a popular row."""
    monkeypatch.setattr(locks, "BRIEFLY_MS", 100)
    actor = User.objects.create_user("asha")

    def one(_: int) -> None:
        if act == "cancel":
            cancelling.cancel(order, reason="Late", actor=actor)
        else:
            restocking.restock(order, units={back: 1}, actor=actor)

    line = order.order_lines.order_by("pk")[0]
    refunding.refund(order, amount=line.unit_paise, reason="Broken", line=line, units=1)
    back = restocking.comebacks(order)[0]
    with transaction.atomic():
        Order.objects.locking().get(pk=order.pk)
        (refused,) = all_at_once(1, one)
    assert isinstance(refused, Busy)
    assert not StockMovement.objects.filter(reason="returned").exists()

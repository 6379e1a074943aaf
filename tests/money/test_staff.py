"""Staff give money back that the bank took, one after the other and at once."""

from uuid import uuid4

import pytest
from django.contrib.auth.models import User

from checkout.exceptions import LeftChanged, NotThatState
from checkout.models import Order, Refund
from checkout.orders import cancelling, fulfilling
from checkout.orders.fulfilling import Part
from inventory.models import StockMovement
from tests.money.buying import SOLD
from tests.staff.people import signed_in
from tests.stock import all_at_once

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("unhurried")]

LIST = "/admin/checkout/order/"


def test_what_support_refunds_and_cancels_moves_at_the_bank(paid) -> None:
    support = signed_in("Support")
    named = {"id": paid.order_id, "reason": "A scratch"}
    support.post(f"{LIST}refund/", {**named, "rupees": "850", "seen_left": 385_000, "key": uuid4()})
    assert paid.settle() == "paid"
    assert paid.moves() == [[*SOLD, ("refunded", 85_000)]]
    support.post(f"{LIST}cancel/", {**named, "seen": "paid"})
    assert paid.settle() == "cancelled"
    assert paid.moves() == [[*SOLD, ("refunded", 85_000), ("refunded", 300_000)]]
    assert paid.units == (5, 0)


@pytest.mark.race
def test_eight_refunds_at_once_are_one(paid) -> None:
    actor = User.objects.create_user("asha")
    order = paid.order

    def refund(_: int) -> None:
        part = Part(300_000)
        fulfilling.refund(
            order, parts=[part], seen_left=385_000, reason="Broken", actor=actor, key=uuid4()
        )

    outcomes = all_at_once(8, refund)
    assert outcomes.count(None) == 1
    assert sum(isinstance(outcome, LeftChanged) for outcome in outcomes) == 7
    assert list(Refund.objects.values_list("amount", flat=True)) == [300_000]


@pytest.mark.race
@pytest.mark.parametrize("begins", ["paid", "packed"])
def test_a_cancel_and_the_next_step_at_once_are_one_of_them(paid, begins) -> None:
    """Four people cancel, four pack or send."""
    actor = User.objects.create_user("asha")
    order, warehouse = paid.order, paid.row.warehouse
    if begins == "packed":
        fulfilling.pack(order, actor=actor)

    def step(number: int) -> str:
        seen = Order.objects.get(pk=order.pk)
        if number % 2:
            cancelling.cancel(seen, of=(begins,), reason="Late", actor=actor)
            return "cancelled"
        if begins == "paid":
            fulfilling.pack(seen, actor=actor)
            return "packed"
        fulfilling.ship(seen, warehouse=warehouse, carrier="Blue Dart", actor=actor)
        return "shipped"

    outcomes = all_at_once(8, step)
    (won,) = [outcome for outcome in outcomes if isinstance(outcome, str)]
    assert paid.order.state == won
    lost = won == "cancelled"
    assert paid.units == ((5, 0) if lost else (4, 0))
    assert StockMovement.objects.filter(reason="returned").count() == lost
    assert Refund.objects.count() == lost
    assert not [error for error in outcomes if "Integrity" in type(error).__name__]
    assert any(isinstance(error, NotThatState) for error in outcomes)

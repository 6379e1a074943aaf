"""What is paid on delivery is ordered and sold in one transaction."""

import pytest

from allo.outbox.models import Message
from checkout import due, paying
from checkout.audit import audit_money
from checkout.commands import Hold, OpenBefore, OrderOnDelivery
from checkout.models import Contact, Order, Payment
from checkout.orders import statements
from checkout.orders.drafts import Buyer, Pages
from checkout.settle import settle
from inventory.models import Inventory
from reservations.clock.audit import audit_stock
from reservations.engine.locks import Patience
from reservations.engine.transactions import _transact
from reservations.models import Reservation
from tests.checkout.orders import opened
from tests.reservations.test_verbs import hold
from tests.shopping import BUYER, holding, press
from tests.stock import stocked

pytestmark = pytest.mark.django_db(transaction=True)


class Died(BaseException):
    pass


def command(held: Reservation, *replaces: Order) -> OrderOnDelivery:
    draft = paying.drafted(
        [held], Buyer(), Pages("https://a/{number}", "https://a/{number}"), account_id=None
    )
    return OrderOnDelivery(
        rows=(held.inventory_id,),
        reservation_ids=(held.pk,),
        above=(statements.orders(*(order.pk for order in replaces)),) if replaces else (),
        draft=draft,
        holds=(Hold(held.pk, held.quantity, held.unit_paise),),
        replaces=tuple(OpenBefore(order.pk, (held.pk,)) for order in replaces),
    )


def test_what_a_process_leaves_that_dies_after_the_sale_is_completed_by_the_clock(
    client, monkeypatch
) -> None:
    def dies(*_: object) -> None:
        raise Died

    held = holding(client, stocked(5), 2)
    monkeypatch.setattr("checkout.recording.record", dies)
    with pytest.raises(Died):
        press(client, held, "confirm")
    monkeypatch.undo()
    order = Order.objects.get()
    assert (order.state, order.charges.get().decision) == ("placed", "take")
    assert Contact.objects.get().name == BUYER["name"]
    assert Inventory.objects.get().total_units == 3
    assert audit_money() == audit_stock() == []
    [payment] = due.chosen(10)
    assert settle(payment.pk).state == "paid"
    assert Message.objects.filter(kind="receipt").count() == 1
    assert Payment.objects.get().closed_at
    assert audit_money() == []


def test_in_one_batch_an_order_is_sold_and_another_replaced() -> None:
    """What is dropped is written before what is new, whoever came first."""
    first, second = hold(stocked(5)), hold(stocked(5, product="flow"))
    before = opened(second)
    _transact([command(first), command(second, before)], Patience.BRIEF)
    states = list(Order.objects.order_by("opened_at").values_list("state", flat=True))
    assert states == ["dropped", "placed", "placed"]
    assert audit_money() == audit_stock() == []

"""What webhooks are told of an order that the bank took the money for."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction

from allo.outbox.hooks.catalogue import kinds
from allo.outbox.models import Event
from checkout import recording
from checkout.models import Order
from checkout.orders import cancelling, fulfilling, refunding
from checkout.orders.fulfilling import Part
from checkout.payments.base import RefundSeen, RefundState
from tests.hooks.hearing import hears, last, told
from tests.money.buying import buy
from tests.running import PATIENCE, wait_for
from tests.server import somebody_waits
from tests.stock import reprice, stocked

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("unhurried")]

# Of people, and of who may do what. Whole: a few digits stand in many an order's number.
SECRETS = (
    "Asha",
    "asha",
    "visitor:",
    "anonymous:",
    "Church",
    "9845012345",
    "98450 12345",
    "hold_",
    "Blue Dart",
    "BD 1",
)


def test_an_order_is_told_from_its_sale_to_its_return(bank, client) -> None:
    hears()
    actor = User.objects.create_user("packer")
    sold = buy(bank, client)
    sold.pays()
    assert sold.settle() == "paid"
    order = sold.order
    assert told()[-3:] == ["reservation.confirmed", "order.placed", "order.paid"]
    placed, paid = last("order.placed"), last("order.paid")
    assert (placed["state"], paid["state"]) == ("placed", "paid")
    assert (placed["paid_at"], placed["placed_at"]) == (None, paid["placed_at"])
    [line] = paid["lines"]
    assert line == {
        "reservation": str(sold.hold.pk), "product": "tidal", "name": "Tidal",
        "warehouse": "blr-01", "quantity": 1, "unit_paise": 385_000, "total_paise": 385_000,
        "shipped_at": None,
    }  # fmt: skip
    fulfilling.pack(order, actor=actor)
    fulfilling.refund(
        order,
        parts=[Part(85_000)],
        seen_left=385_000,
        reason="A scratch",
        actor=actor,
        key=uuid4(),
    )
    sold.settle()
    cancelling.cancel(order, reason="Late", actor=actor)
    sold.settle()
    kinds_told = [kind for kind in told() if kind.startswith("order.")]
    assert kinds_told[2:] == [
        "order.packed", "order.refunded", "order.cancelled", "order.refunded"
    ]  # fmt: skip
    refunds = Event.objects.filter(kind="order.refunded").order_by("pk")
    assert [each.data["refunded_paise"] for each in refunds] == [85_000, 385_000]
    assert {each.subject for each in Event.objects.filter(kind__startswith="order.")} == {
        str(order.pk)
    }

    other = buy(bank, client, row=sold.row)
    other.pays()
    other.settle()
    _what_comes_after_a_refund_waits_for_its_commit(other.order, actor)
    shelf = sold.row.warehouse
    fulfilling.ship(other.order, warehouse=shelf, carrier="Blue Dart", tracking="BD 1", actor=actor)
    fulfilling.deliver(other.order, actor=actor)
    assert told()[-3:] == ["order.packed", "order.shipped", "order.delivered"]
    assert last("order.shipped")["lines"][0]["shipped_at"]
    _each_example_has_the_fields_of_the_event()
    everything = str(list(Event.objects.values_list("data", flat=True)))
    assert not [secret for secret in SECRETS if secret in everything]


def test_an_order_of_any_worth_is_paid_and_told(bank, client) -> None:
    """Two units are more than PostgreSQL's integer holds."""
    hears()
    row = stocked(4)
    reprice(row, 2_000_000_000)
    sold = buy(bank, client, row=row, quantity=2)
    sold.pays()
    assert sold.settle() == "paid"
    assert last("order.paid")["lines"][0]["total_paise"] == 4_000_000_000


def _what_comes_after_a_refund_waits_for_its_commit(order: Order, actor: User) -> None:
    """Else receivers would hear of the refund last, and of the order as it was before."""
    refund = refunding.refund(order, amount=85_000, reason="A scratch")
    # Only asked for, so none of the events counts it.
    refunding.refund(order, amount=10_000, reason="Late")
    seen = RefundSeen(
        reference="re_1", refund_id=refund.pk, amount=refund.amount, state=RefundState.DONE
    )
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            assert recording.refund_is(refund, seen)
            packing = pool.submit(packed, order, actor)
            wait_for(lambda: packing.done() or somebody_waits())
            assert not packing.done()
        packing.result(PATIENCE)
    assert told()[-2:] == ["order.refunded", "order.packed"]
    assert last("order.refunded")["state"] == "paid"
    assert last("order.packed")["refunded_paise"] == 85_000


def packed(order: Order, actor: User) -> None:
    fulfilling.pack(order, actor=actor)
    connection.close()


def _each_example_has_the_fields_of_the_event() -> None:
    for kind in kinds():
        if event := Event.objects.filter(kind=kind.name).last():
            assert event.data.keys() == kind.example.keys(), kind.name

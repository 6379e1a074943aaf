"""Money against itself, and against what ends a hold: one sale at the most, and nothing kept for
nothing."""

from collections import Counter
from collections.abc import Callable
from uuid import uuid4

import pytest
from django.db import IntegrityError

from checkout.commands import Decide
from checkout.models import Charge, Order
from checkout.orders import opening
from checkout.payments.base import Fact, Money
from checkout.settle import settle
from reservations import services
from reservations.clock.audit import audit_stock
from reservations.clock.expiry import expire_due
from reservations.exceptions import NotPending
from tests.money.buying import Purchase, buy
from tests.stock import all_at_once, pass_time, stocked

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.race,
    pytest.mark.usefixtures("unhurried"),
]


def money() -> Money:
    return Money(
        reference=f"pi_{uuid4().hex}",
        amount=385_000,
        currency="INR",
        fact=Fact.AUTHORISED,
        refunds=(),
        disputed_at=None,
    )


def test_sixteen_settlers_one_sale(bank, client, caplog) -> None:
    """Also without an error of the database that would make a batch be served one by one."""
    purchase = buy(bank, client)
    payment = purchase.payment.pk
    reference = purchase.pays()
    states = all_at_once(16, lambda _: settle(payment).state)
    assert set(states) == {"paid"}
    assert purchase.units == (4, 0)
    assert bank.moves(reference) == [("authorised", 385_000), ("captured", 385_000)]
    assert Charge.objects.count() == 1
    assert [record.message for record in caplog.records if "one by one" in record.message] == []


def test_sixteen_charges_one_taken(bank, client) -> None:
    purchase = buy(bank, client)
    payment = purchase.payment
    outcomes = all_at_once(16, lambda _: opening.decide_about(payment, (money(),)))
    assert outcomes == [None] * 16
    decisions = Charge.objects.values_list("decision", flat=True)
    assert Counter(decisions) == {"take": 1, "give_back": 15}
    assert purchase.units == (4, 0)


def test_without_the_orders_lock_the_database_refuses_the_second_take(
    bank, client, monkeypatch
) -> None:
    """The negative control: each decides by what it read before the others' commit."""
    unlocked = "SELECT id, 'open', total_paise FROM checkout_order WHERE id = ANY(%s::uuid[])"
    monkeypatch.setattr("checkout.orders.statements.LOCK_ORDERS", unlocked)
    purchase = buy(bank, client)
    monkeypatch.setattr(Decide, "_decision", lambda *_: Charge.Decision.TAKE)
    payment = purchase.payment
    outcomes = all_at_once(8, lambda _: opening.decide_about(payment, (money(),)))
    assert any(isinstance(outcome, IntegrityError) for outcome in outcomes)
    assert Charge.objects.filter(decision="take").count() <= 1


def drop(purchase: Purchase) -> None:
    opening.drop(Order.objects.get(pk=purchase.order_id))


def expire(purchase: Purchase) -> None:
    pass_time(901, pk=purchase.hold.pk)
    expire_due()


def release(purchase: Purchase) -> None:
    services.release(reservation_id=purchase.hold.pk)


@pytest.mark.parametrize("end", [drop, expire, release])
def test_whatever_ends_a_hold_races_its_money(
    bank, client, end: Callable[[Purchase], None]
) -> None:
    """Either all is sold and captured, or nothing is and the money goes back; never both."""
    row = stocked(8)
    for _ in range(8):
        purchase = buy(bank, client, row)
        purchase.pays()
        race(purchase, end)
        purchase.settle()
        before = row.total_units
        row.refresh_from_db()
        (intent,) = purchase.intents()
        sold = purchase.order.state == "paid"
        assert intent["status"] == ("succeeded" if sold else "canceled")
        assert row.total_units == before - sold
        purchase.hold.refresh_from_db()
        if purchase.hold.is_pending:
            services.release(reservation_id=purchase.hold.pk)
    assert audit_stock() == []


def race(purchase: Purchase, end: Callable[[Purchase], None]) -> None:
    payment = purchase.payment.pk
    outcomes = all_at_once(2, lambda who: end(purchase) if who else settle(payment))
    refused = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
    assert all(isinstance(refusal, NotPending) for refusal in refused), outcomes

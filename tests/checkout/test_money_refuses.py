"""What the database itself refuses of charges."""

import pgtrigger
import pytest
from django.utils import timezone

from checkout.models import Charge, Order, Refund
from reservations import services
from tests.checkout.orders import (
    State,
    brought,
    charged,
    invited,
    move,
    opened,
    refund,
    refuses,
    sell,
)
from tests.reservations.test_verbs import hold
from tests.stock import stocked

pytestmark = pytest.mark.django_db


@pytest.fixture
def order() -> Order:
    return opened(hold(stocked(5), 2), hold(stocked(5, product="other")), shipping=9_900)


@pytest.fixture
def charge(order) -> Charge:
    """Of 11,649 rupees, taken and captured."""
    return brought(order, State.PLACED).charges.get()


# --- what is taken ------------------------------------------------------------------------------


def test_what_is_taken_places_its_order_at_once(order) -> None:
    sell(order)
    charge = charged(order, fact="authorised")
    order.refresh_from_db()
    charge.refresh_from_db()
    assert (order.state, order.placed_at) == ("placed", charge.created_at)
    assert charge.seen_as == "authorised"


@pytest.mark.parametrize(
    ("made", "constraint"),
    [
        ({"amount": 1_164_899}, "taken_is_the_total"),
        ({"amount": 1_164_901}, "taken_is_the_total"),
        ({"currency": "USD"}, "taken_in_rupees"),
        ({"fact": "void"}, "taken_is_secured"),
        ({"provider": "stripe"}, "charge_is_of_its_payment"),
        ({"refunded_paise": 1}, "charge_begins_unrefunded"),
        ({"amount": 0, "decision": "give_back"}, "charge_is_money"),
        ({"currency": "inr", "decision": "give_back"}, "charge_is_money"),
        ({"reference": ""}, "charge_is_money"),
        ({"decision": "keep"}, "charge_decision_known"),
        ({"fact": "lost", "decision": "give_back"}, "charge_fact_known"),
    ],
)
def test_only_the_whole_of_an_order_is_taken(order, made, constraint) -> None:
    assert order.total_paise == 1_164_900
    sell(order)
    with refuses(constraint):
        charged(order, **{"decision": "take", **made})


def test_nothing_is_taken_for_what_is_not_all_sold(order) -> None:
    first, second = order.order_lines.all()
    with refuses("taken_lines_are_sold"):
        charged(order)
    services.confirm(reservation_id=first.reservation_id)
    with refuses("taken_lines_are_sold"):
        charged(order)
    services.release(reservation_id=second.reservation_id)
    with refuses("taken_lines_are_sold"):
        charged(order)


def test_nothing_is_taken_for_more_or_less_than_was_ordered(order) -> None:
    [first, _] = order.order_lines.all()
    services.change(reservation_id=first.reservation_id, quantity=1)
    sell(order)
    with refuses("taken_lines_are_sold"):
        charged(order)


@pytest.mark.parametrize("shipping", [-1, 1])
def test_the_total_is_that_of_the_lines(shipping) -> None:
    held = hold(stocked(5))
    order = opened(held, total_paise=held.total_paise + shipping, shipping_paise=2)
    sell(order)
    with refuses("taken_total_is_of_its_lines"):
        charged(order)


@pytest.mark.parametrize(("percent", "paise"), [(5, 471), (28, 2_166)])
def test_shipping_bears_the_highest_rate_of_the_lines(percent, paise) -> None:
    tax = {"shipping_gst_percent": percent, "shipping_gst_paise": paise}
    order = opened(hold(stocked(5)), shipping=9_900, **tax)
    sell(order)
    with refuses("taken_shipping_bears_the_highest_gst"):
        charged(order)


def test_an_order_without_lines_takes_nothing() -> None:
    held = hold(stocked(5))
    order = Order.objects.create(number="AL-0000-NBNE", holder=held.holder, total_paise=100)
    invited(order)
    with refuses("taken_lines_are_sold"):
        charged(order)


def test_one_charge_is_taken_and_only_for_an_open_order(order, charge) -> None:
    with refuses("one_charge_taken_per_order"):
        charged(order)
    other = opened(hold(stocked(5, product="third")))
    move(other, State.DROPPED)
    with refuses("taken_lines_are_sold"):
        charged(other)
    charged(other, "give_back", amount=7, currency="USD")


def test_a_dropped_order_is_not_revived_by_money(order) -> None:
    """Even if all that it held was sold since then."""
    sell(order)
    with pgtrigger.ignore("checkout.Order:lines_end_with_a_dropped_order"):
        move(order, State.DROPPED)
    assert order.order_lines.filter(active=True).count() == 2
    with refuses("taken_places_its_order"):
        charged(order)


def test_money_appears_once(order, charge) -> None:
    with refuses("checkout_charge_reference_key"):
        charged(order, "give_back", reference=charge.reference)


# --- what is decided, and what happened ---------------------------------------------------------


def test_decision_is_final_in_the_database(order, charge) -> None:
    charged(order, "give_back")
    for old, new in (("take", "give_back"), ("give_back", "take")):
        with refuses("decision_is_final"):
            Charge.objects.filter(decision=old).update(decision=new)


@pytest.mark.parametrize(
    "values",
    [
        {"reference": "pi_x"}, {"amount": 1}, {"currency": "USD"}, {"provider": "none"},
        {"seen_as": "authorised"}, {"created_at": timezone.now()},
    ],
)  # fmt: skip
def test_a_charge_stays_as_it_was_made(charge, values) -> None:
    with refuses("charge_stays_as_made"):
        Charge.objects.update(**values)


FACTS = ("authorised", "captured", "void")


@pytest.mark.parametrize("decision", ["take", "give_back"])
@pytest.mark.parametrize("old", FACTS)
def test_a_fact_only_moves_forward(order, decision, old) -> None:
    sell(order)
    first = "authorised" if decision == "take" else old
    charge = charged(order, decision, fact=first)
    Charge.objects.update(fact=old)
    for new in {"captured", "void"} if old != "authorised" else set():
        if new != old:
            with refuses("fact_only_moves_forward"):
                Charge.objects.update(fact=new)
    if old != "authorised":
        with refuses("fact_only_moves_forward"):
            Charge.objects.update(fact="authorised")
    charge.refresh_from_db()
    assert (charge.fact, charge.seen_as) == (old, first)


@pytest.mark.parametrize(
    ("time", "constraint"),
    [("disputed_at", "dispute_is_dated_once"), ("settled_at", "settled_is_settled")],
)
def test_a_time_of_a_charge_is_set_once(charge, time, constraint) -> None:
    Charge.objects.update(**{time: timezone.now()})
    for value in (timezone.now(), None):
        with refuses(constraint):
            Charge.objects.update(**{time: value})


@pytest.mark.parametrize(("model", "name"), [(Charge, "charges"), (Refund, "refunds")])
def test_money_is_never_deleted(charge, model, name) -> None:
    refund(charge, 1)
    with refuses(f"{name}_are_kept"):
        model.objects.all()._raw_delete(using="default")

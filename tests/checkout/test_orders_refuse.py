"""What the database itself refuses of orders and their events."""

import unicodedata
from datetime import timedelta
from typing import Any

import pgtrigger
import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from checkout.models import Charge, Order, OrderEvent, OrderLine, Payment
from checkout.models.order_triggers import FINAL, MOVES
from tests.checkout.orders import (
    ERASED,
    SELLER,
    State,
    brought,
    charged,
    move,
    opened,
    refuses,
    sell,
)
from tests.reservations.test_verbs import hold
from tests.stock import stocked

pytestmark = pytest.mark.django_db


def change(order: Order, **values: object) -> None:
    assert Order.objects.filter(pk=order.pk).update(**values) == 1


# --- states -------------------------------------------------------------------------------------


def test_the_states_and_their_moves_are_these() -> None:
    assert {state for move_ in MOVES for state in move_} == set(State.values)
    assert set(FINAL) == set(State.values) - {old for old, _ in MOVES}
    assert set(Order.CANCELLABLE) == {old for old, new in MOVES if new == "cancelled"} - {"placed"}


@pytest.mark.parametrize("old", State.values)
def test_an_order_moves_only_along_its_states(order, old) -> None:
    brought(order, old)
    for new in State.values:
        if new != old and (old, new) not in MOVES:
            with refuses("order_moves_along_its_states"):
                move(order, new)
    order.refresh_from_db()
    assert order.state == old


@pytest.mark.parametrize(("old", "new"), sorted({*MOVES} - {("placed", "cancelled")}))
def test_each_of_its_moves_is_possible(order, old, new) -> None:
    brought(order, old)
    if new == State.PLACED:
        brought(order, new)
    else:
        move(order, new)
    order.refresh_from_db()
    assert order.state == new


def test_an_order_begins_open() -> None:
    moment = timezone.now()
    for state in set(State) - {State.OPEN}:
        with refuses("order_begins_open"):
            made: dict[str, Any] = {"state": state, f"{state}_at": moment}
            opened(hold(stocked(5, product=state)), **made)


@pytest.mark.parametrize("state", [s for s in State.values if s != "open"])
def test_a_state_has_its_time(order, state) -> None:
    brought(order, state)
    with refuses("order_times_are_kept"):
        change(order, **{f"{state}_at": timezone.now()})
    with refuses("order_times_are_kept"):
        change(order, **{f"{state}_at": None})


@pytest.mark.parametrize(
    ("state", "early"),
    [
        ("open", "dropped"), ("open", "placed"), ("placed", "paid"), ("placed", "cancelled"),
        ("paid", "packed"), ("packed", "shipped"), ("shipped", "delivered"),
    ],
)  # fmt: skip
def test_a_time_comes_with_its_state(order, state, early) -> None:
    brought(order, state)
    if state == State.PACKED:
        order.order_lines.update(shipped_at=timezone.now())
    with refuses(f"{early}_has_its_time"):
        change(order, **{f"{early}_at": timezone.now()})
    if early in {"packed", "shipped", "delivered"}:
        with refuses(f"{early}_has_its_time"):
            change(order, state=early)


def test_what_left_is_packed_once_whole_and_never_cancelled() -> None:
    two = opened(hold(stocked(5, product="a")), hold(stocked(5, product="b")))
    lines = brought(two, State.PAID).order_lines
    with refuses("sent_line_is_packed"):
        lines.update(shipped_at=timezone.now())
    with refuses("parcel_has_left"):
        lines.update(carrier="Blue Dart")
    move(two, State.PACKED)
    one = lines.filter(name="A")
    one.update(shipped_at=timezone.now(), carrier="Blue Dart")
    with refuses("line_is_sent_once"):
        one.update(shipped_at=timezone.now())
    with refuses("shipped_is_sent_whole"):
        change(two, state=State.SHIPPED, shipped_at=timezone.now())
    with refuses("cancelled_is_still_here"):
        change(two, state=State.CANCELLED, cancelled_at=timezone.now())
    lines.filter(name="B").update(shipped_at=timezone.now())
    change(two, state=State.SHIPPED, shipped_at=timezone.now())


def test_nothing_is_placed_without_its_charge(order) -> None:
    sell(order)
    charged(order, "give_back")
    with refuses("placed_has_its_charge"):
        move(order, "placed")


def test_nothing_is_paid_before_all_of_it_is_captured(order) -> None:
    sell(order)
    charge = charged(order, fact="authorised")
    with refuses("paid_is_captured_in_full"):
        move(order, "paid")
    # And what was not captured is cancelled only once the money is free again.
    with refuses("unpaid_is_cancelled_without_money"):
        move(order, "cancelled")
    charge.fact = "void"
    charge.save(update_fields=["fact"])
    with refuses("paid_is_captured_in_full"):
        move(order, "paid")
    move(order, "cancelled")


# --- what it is of, for whom, and for how much --------------------------------------------------


@pytest.mark.parametrize(
    "made",
    [
        {"number": "AL-0000-0000"}, {"opened_at": timezone.now()},
        {"total_paise": 1}, {"shipping_paise": 1}, {"shipping_gst_percent": None},
        {"shipping_gst_paise": 1},
    ],
)  # fmt: skip
def test_an_order_stays_as_it_was_made(order, made) -> None:
    with refuses("order_stays_as_made"):
        change(order, **made)


@pytest.mark.parametrize(
    ("made", "constraint"),
    [
        ({"number": "AL-ILOU-0000"}, "order_number_readable"),
        ({"number": "AL-000-00000"}, "order_number_readable"),
        ({"shipping_paise": 5, "total_paise": 5}, "order_costs_something"),
        ({"shipping_gst_paise": 1}, "shipping_gst_is_exact"),
        ({"shipping_gst_paise": 1, "shipping_gst_percent": None}, "shipping_gst_is_exact"),
        ({"shipping_gst_percent": 41}, "shipping_gst_percent_known"),
        ({"pin": "012345"}, "address_is_whole_or_none"),
        ({"pin": ""}, "address_is_whole_or_none"),
        ({"line1": ""}, "address_is_whole_or_none"),
        ({"region": "Ka"}, "address_is_whole_or_none"),
        ({**ERASED, "line2": "Flat 3"}, "address_is_whole_or_none"),
        ({"name": unicodedata.normalize("NFD", "José")}, "order_texts_are_nfc"),
        ({"line2": unicodedata.normalize("NFD", "Café")}, "order_texts_are_nfc"),
        ({"invoice_number": "2026-1"}, "invoice_is_of_a_paid_order"),
    ],
)
def test_an_order_is_always_coherent(made, constraint) -> None:
    held = hold(stocked(5))
    with refuses(constraint):
        opened(held, **made)


def test_the_buyer_is_kept_from_the_sale_on_and_erased_at_the_end(order) -> None:
    change(order, name="Asha R.", line2="Flat 3")
    for state in (State.PLACED, State.PAID, State.PACKED, State.SHIPPED):
        brought(order, state) if state == State.PLACED else move(order, state)
        for values in ({"name": "Ravi"}, {"email": ""}, ERASED):
            with refuses("buyer_of_an_order_is_kept"):
                change(order, **values)
    move(order, State.DELIVERED)
    with refuses("buyer_of_an_order_is_kept"):
        change(order, phone="+91 1")
    change(order, name="", email="", phone="")
    change(order, **ERASED)


@pytest.mark.parametrize("state", [State.DROPPED, State.CANCELLED])
def test_the_buyer_of_what_ended_early_is_erased(order, state) -> None:
    brought(order, state)
    with refuses("buyer_of_an_order_is_kept"):
        change(order, name="Ravi")
    change(order, **ERASED)


def test_the_buyer_of_an_old_order_is_forgotten_whatever_became_of_it() -> None:
    """Whoever it was held by too, and to nobody else."""
    stock, year = stocked(5), timedelta(days=366)
    for age, state in ((year, State.PAID), (year / 2, State.DELIVERED)):
        order = opened(hold(stock), opened_at=timezone.now() - age)
        brought(order, state)
        with refuses("holder_of_an_order_is_kept"):
            change(order, holder="user:1")
        if age == year:
            change(order, holder="nobody", **ERASED)
        else:
            with refuses("holder_of_an_order_is_kept"):
                change(order, holder="nobody")


def test_an_account_is_set_once_and_lost_only_once_nothing_is_to_be_paid(order) -> None:
    asha, ravi = (User.objects.create_user(name) for name in ("asha", "ravi"))
    change(order, account=asha)
    for account in (ravi, None):
        with refuses("account_of_an_order_is_kept"):
            change(order, account=account)
    brought(order, State.PAID)
    with refuses("account_of_an_order_is_kept"):
        change(order, account=ravi)
    for holder, account in (("nobody", asha), ("user:1", None)):
        with refuses("holder_of_an_order_is_kept"):
            change(order, holder=holder, account=account)
    change(order, holder="nobody", account=None)


def test_an_invoice_keeps_its_number(order) -> None:
    brought(order, State.PAID)
    with refuses("invoice_is_of_a_paid_order"):
        change(order, invoice_number="", **SELLER)
    change(order, invoice_number="2026-1", **SELLER)
    for number in ("2026-2", None):
        with refuses("invoice_number_is_kept"):
            change(order, invoice_number=number)


@pytest.mark.parametrize("field", SELLER)
def test_an_invoice_keeps_its_seller(order, field) -> None:
    with refuses("seller_of_an_invoice_is_whole"):
        change(order, **SELLER)
    brought(order, State.PAID)
    with refuses("invoice_begins_with_its_seller"):
        change(order, invoice_number="2026-1")
    with refuses("seller_of_an_invoice_is_whole"):
        change(order, invoice_number="2026-1", seller_gstin="29ABCDE1234F1Z5", seller_name="Allo")
    change(order, invoice_number="2026-1", **SELLER)
    for value in ("", "27ABCDE1234F1Z5"):
        with refuses("seller_of_an_invoice_is_kept"):
            change(order, **{field: value})


# --- nothing is deleted -------------------------------------------------------------------------


def test_what_happened_to_an_order_is_kept(order) -> None:
    order.order_events.create(what="opened")
    with refuses("order_events_are_kept"):
        order.order_events.update(note="Other")
    with refuses("order_event_says_what"):
        order.order_events.create(what="")


def delete(order: Order) -> None:
    """As the clock does, without asking Django for what is in the way."""
    Order.objects.filter(pk=order.pk)._raw_delete("default")


PARTS: dict[str, Any] = {
    "line_goes_with_its_order": OrderLine,
    "payment_goes_with_its_order": Payment,
    "order_event_goes_with_its_order": OrderEvent,
}


@pytest.mark.parametrize("state", State.values)
def test_nothing_of_an_order_is_deleted_alone(order, state) -> None:
    order.order_events.create(what="opened")
    brought(order, state)
    for constraint, part in PARTS.items():
        with refuses(constraint):
            part.objects.filter(order=order)._raw_delete("default")
    with refuses("orders_with_money_are_kept"):
        delete(order)


def test_only_a_dropped_order_without_money_is_deleted(order) -> None:
    kept = brought(opened(hold(stocked(5, product="other"))), State.DROPPED)
    charged(kept, "give_back")
    Payment.objects.update(closed_at=timezone.now())
    order.order_events.create(what="opened")
    move(order, State.DROPPED)
    delete(order)
    assert [model.objects.count() for model in (Order, *PARTS.values())] == [1, 1, 1, 0]
    with refuses("orders_with_money_are_kept"):
        delete(kept)


def test_unknown_words_are_refused_even_past_the_triggers(order) -> None:
    sell(order)
    charged(order, "give_back")
    rules: dict[str, tuple[Any, dict[str, object]]] = {
        "cancelled_has_its_time": (Order, {"state": "lost"}),  # of any state, the first by name
        "charge_fact_known": (Charge, {"fact": "lost"}),
        "charge_first_fact_known": (Charge, {"seen_as": ""}),
        "line_sells_something": (OrderLine, {"unit_paise": 0, "gst_paise": 0}),
    }
    with pgtrigger.ignore():
        for rule, (model, values) in rules.items():
            with refuses(rule):
                model.objects.update(**values)

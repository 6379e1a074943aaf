"""What the database itself refuses of orders, their lines and events."""

import unicodedata
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models import F
from django.utils import timezone

from checkout.models import Order, OrderEvent, OrderLine, Payment
from checkout.models.order_triggers import MOVES
from checkout.orders.tax import included
from reservations import services
from tests.checkout.orders import (
    BUYER,
    State,
    brought,
    charged,
    invited,
    line,
    move,
    opened,
    refuses,
    sell,
)
from tests.reservations.test_verbs import hold
from tests.stock import stocked

pytestmark = pytest.mark.django_db

ERASED = dict.fromkeys([*BUYER, "line2"], "")


@pytest.fixture
def order() -> Order:
    return opened(hold(stocked(5), 2))


def change(order: Order, **values: object) -> None:
    assert Order.objects.filter(pk=order.pk).update(**values) == 1


# --- states -------------------------------------------------------------------------------------


def test_the_states_and_their_moves_are_these() -> None:
    assert {state for move_ in MOVES for state in move_} == set(State.values)
    assert set(Order.FINAL) == set(State.values) - {old for old, _ in MOVES}
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
    with refuses(f"{early}_has_its_time"):
        change(order, **{f"{early}_at": timezone.now()})
    if early in {"packed", "shipped", "delivered"}:
        with refuses(f"{early}_has_its_time"):
            change(order, state=early)


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
        {"number": "AL-0000-0000"}, {"holder": "user:1"}, {"opened_at": timezone.now()},
        {"total_paise": 1}, {"shipping_paise": 1},
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


def test_an_account_is_set_once_and_lost_only_at_the_end(order) -> None:
    asha, ravi = (User.objects.create_user(name) for name in ("asha", "ravi"))
    brought(order, State.SHIPPED)
    change(order, account=asha)
    for account in (ravi, None):
        with refuses("account_of_an_order_is_kept"):
            change(order, account=account)
    move(order, State.DELIVERED)
    with refuses("account_of_an_order_is_kept"):
        change(order, account=ravi)
    change(order, account=None)


def test_an_invoice_keeps_its_number(order) -> None:
    brought(order, State.PAID)
    with refuses("invoice_is_of_a_paid_order"):
        change(order, invoice_number="")
    change(order, invoice_number="2026-1")
    for number in ("2026-2", None):
        with refuses("invoice_number_is_kept"):
            change(order, invoice_number=number)


# --- lines --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made", "constraint"),
    [
        ({"unit_paise": 384_999}, "line_is_as_it_was_held"),
        ({"quantity": 1}, "line_is_as_it_was_held"),
        ({"name": "Tidal vase"}, "line_is_as_it_was_held"),
        ({"active": False}, "line_is_of_an_open_order"),
        ({"gst_paise": 117_457}, "line_gst_is_exact"),
        ({"gst_percent": 41, "gst_paise": 223_901}, "line_gst_percent_known"),
    ],
)
def test_a_line_is_what_was_held(order, made, constraint) -> None:
    held = hold(stocked(5, product="other"), 2)
    made = {"name": held.name, **made}
    with refuses(constraint):
        line(order, held, **made)


@pytest.mark.parametrize(
    ("unit_paise", "quantity", "percent", "gst_paise"),
    [
        (385_000, 2, 18, 117_458),  # 117,457.6…
        (118, 1, 18, 18),
        (105, 1, 0, 0),
        (21, 1, 5, 1),
        (3, 1, 20, 1),  # 0.5
        (2_147_483_647, 2_000_000_000, 40, 1_227_133_512_571_428_571),  # …428,571.4
    ],
)
def test_the_tax_of_a_line_is_exact(unit_paise, quantity, percent, gst_paise) -> None:
    """And the database computes it as the shop does."""
    assert included(unit_paise * quantity, percent) == gst_paise
    row = stocked(5)
    row.product.price_paise = unit_paise
    row.product.save()
    held = hold(row)
    type(held).objects.filter(pk=held.pk).update(quantity=quantity)
    held.refresh_from_db()
    order = opened(hold(stocked(5, product="other")))
    for wrong in (gst_paise - 1, gst_paise + 1):
        if wrong >= 0:
            with refuses("line_gst_is_exact"):
                line(order, held, gst_percent=percent, gst_paise=wrong)
    line(order, held, gst_percent=percent, gst_paise=gst_paise)


def test_a_line_is_of_a_live_hold_and_of_an_open_order(order) -> None:
    held = hold(stocked(5, product="other"))
    with refuses("line_is_of_an_open_order"):
        line(brought(opened(hold(stocked(5, product="third"))), State.DROPPED), held)
    services.release(reservation_id=held.pk)
    held.refresh_from_db()
    with refuses("line_is_as_it_was_held"):
        line(order, held)


def test_a_hold_is_on_one_order_until_that_is_dropped(order) -> None:
    held = order.order_lines.get().reservation
    with refuses("one_active_line_per_reservation"):
        opened(held)
    move(order, State.DROPPED)
    assert not order.order_lines.get().active
    opened(held)
    with refuses("line_ends_with_its_order"):
        OrderLine.objects.filter(order=order).update(active=True)


@pytest.mark.parametrize(
    "made",
    [
        {"name": "Other"}, {"unit_paise": 1}, {"quantity": 1}, {"gst_percent": 5}, {"gst_paise": 1},
    ],
)  # fmt: skip
def test_a_line_stays_as_it_was_made(order, made) -> None:
    with refuses("line_stays_as_made"):
        order.order_lines.update(**made)


def test_a_line_stays_on_its_order_but_says_how_it_is_sent(order) -> None:
    with refuses("line_ends_with_its_order"):
        order.order_lines.update(active=False)
    brought(order, State.CANCELLED)
    with refuses("line_ends_with_its_order"):
        order.order_lines.update(active=False)
    assert order.order_lines.update(carrier="India Post", tracking="EK123456789IN") == 1


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


# --- invitations to pay -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made", "constraint"),
    [
        ({"provider": "cash"}, "payment_provider_known"),
        ({"expires_at": timezone.now().replace(year=2000)}, "payment_lasts"),
        ({"session_ref": ""}, "session_has_a_reference"),
        ({"session_ref": "cs_1"}, "one_payment_per_session"),
        ({"look_at": None}, "unclosed_payment_is_looked_at"),
        ({}, "one_unclosed_payment_per_order"),
    ],
)
def test_an_invitation_is_coherent(order, made, constraint) -> None:
    Payment.objects.update(session_ref="cs_1", url="https://bank.example/1")
    if made:
        Payment.objects.update(closed_at=timezone.now())
    with refuses(constraint):
        invited(order, **made)


def test_an_invitation_is_of_an_open_order(order) -> None:
    brought(order, State.PLACED)
    with refuses("payment_is_of_an_open_order"):
        invited(order)


@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        ({"provider": "none"}, "invitation_stays_as_made"),
        (
            {"expires_at": F("expires_at") + timedelta(minutes=1)},
            "invitation_stays_as_made",
        ),
        ({"success_url": "x"}, "invitation_stays_as_made"),
        ({"cancel_url": "x"}, "invitation_stays_as_made"),
        ({"session_ref": "cs_2"}, "session_is_set_once"),
        ({"session_ref": None}, "session_is_set_once"),
        ({"url": "https://bank.example/2"}, "session_is_set_once"),
        ({"closed_at": None}, "closed_is_closed"),
        ({"closed_at": timezone.now()}, "closed_is_closed"),
    ],
)
def test_an_invitation_never_differs(order, values, constraint) -> None:
    Payment.objects.update(session_ref="cs_1", url="https://bank.example/1")
    Payment.objects.update(closed_at=timezone.now(), look_at=None, looks=3)
    with refuses(constraint):
        Payment.objects.update(**values)

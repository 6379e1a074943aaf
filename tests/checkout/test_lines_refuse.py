"""What the database itself refuses of the lines of an order."""

import pytest

from checkout.models import OrderLine
from checkout.orders.tax import included
from reservations import services
from tests.checkout.orders import (
    State,
    brought,
    line,
    move,
    opened,
    refund,
    refuses,
)
from tests.reservations.test_verbs import hold
from tests.stock import stocked

pytestmark = pytest.mark.django_db


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


def test_no_more_goes_back_on_the_shelf_than_was_refunded(order) -> None:
    brought(order, State.PAID)
    mine = order.order_lines.get()
    refund(order.charges.get(), 385_000, line=mine, units=1)
    OrderLine.objects.update(returned_units=1)
    for units in (0, 2):
        with refuses("returned_units_were_refunded"):
            OrderLine.objects.update(returned_units=units)


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


def test_a_line_stays_on_its_order(order) -> None:
    with refuses("line_ends_with_its_order"):
        order.order_lines.update(active=False)
    brought(order, State.CANCELLED)
    with refuses("line_ends_with_its_order"):
        order.order_lines.update(active=False)

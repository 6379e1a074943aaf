"""What the database itself refuses of money that goes back."""

import pytest
from django.db.models.functions import Now
from django.utils import timezone

from checkout.models import Charge, Order, Refund
from tests.checkout.orders import (
    State,
    brought,
    charged,
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


def refunded(charge: Charge) -> int:
    charge.refresh_from_db()
    return charge.refunded_paise


def test_refund_never_exceeds(charge) -> None:
    first = refund(charge, 1_000_000)
    with refuses("refunded_at_most_the_charge"):
        refund(charge, 164_901)
    refund(charge, 164_900, state="done", reference="re_1")
    assert refunded(charge) == charge.amount
    with refuses("refunded_at_most_the_charge"):
        refund(charge, 1)
    Refund.objects.filter(pk=first.pk).update(state="done")
    Refund.objects.filter(pk=first.pk).update(state="failed")
    assert refunded(charge) == 164_900
    refund(charge, 1_000_000)
    assert refunded(charge) == charge.amount


def test_refunds_of_one_statement_are_all_summed(charge) -> None:
    Refund.objects.bulk_create(
        [Refund(charge=charge, amount=paise, reason="Late") for paise in (5, 7, 11)]
    )
    assert refunded(charge) == 23
    Refund.objects.update(state="failed")
    assert refunded(charge) == 0


def test_what_was_refunded_is_not_typed_over(charge) -> None:
    refund(charge, 5)
    for paise in (0, 4, 6):
        with refuses("refunded_is_the_sum_of_refunds"):
            Charge.objects.update(refunded_paise=paise)


def test_only_what_was_captured_is_refunded(order) -> None:
    sell(order)
    charge = charged(order, fact="authorised")
    with refuses("refunded_is_captured"):
        refund(charge, 5)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("asked", "asked"), ("asked", "done"), ("asked", "failed"), ("done", "asked"),
        ("done", "failed"), ("failed", "asked"), ("failed", "done"),
    ],
)  # fmt: skip
def test_a_refund_only_moves_forward(charge, old, new) -> None:
    refund(charge, 5, state=old)
    if (old, new) in {("done", "asked"), ("failed", "asked"), ("failed", "done")}:
        with refuses("refund_only_moves_forward"):
            Refund.objects.update(state=new)
    else:
        Refund.objects.update(state=new)
    assert refunded(charge) == (5 if Refund.objects.get().state != "failed" else 0)


@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        ({"amount": 6}, "refund_stays_as_made"),
        ({"units": 1}, "refund_stays_as_made"),
        ({"reason": "Other"}, "refund_stays_as_made"),
        ({"created_at": timezone.now()}, "refund_stays_as_made"),
        ({"reference": "re_2"}, "refund_reference_is_set_once"),
        ({"reference": None}, "refund_reference_is_set_once"),
        ({"tries": 2}, "refund_tries_only_grow"),
    ],
)
def test_a_refund_stays_as_it_was_made(charge, values, constraint) -> None:
    refund(charge, 5)
    Refund.objects.update(reference="re_1", tries=3)
    with refuses(constraint):
        Refund.objects.update(**values)


@pytest.mark.parametrize(
    ("made", "constraint"),
    [
        ({"amount": 0}, "refund_gt_zero"),
        ({"reason": ""}, "refund_has_a_reason"),
        ({"state": "lost"}, "refund_state_known"),
        ({"units": 1}, "refunded_units_are_of_a_line"),
        ({"reference": ""}, "refund_reference_is_not_empty"),
    ],
)
def test_a_refund_is_coherent(charge, made, constraint) -> None:
    with refuses(constraint):
        refund(charge, **{"amount": 5, **made})


def test_a_refund_has_the_time_at_which_it_was_done_first(charge) -> None:
    refund(charge, 5)
    assert Refund.objects.get().done_at is None
    Refund.objects.update(state="done")
    made = Refund.objects.get(done_at__isnull=False)
    for other in (Now(), None):
        with refuses("refund_is_done_once"):
            Refund.objects.update(done_at=other)
    with refuses("done_refund_has_its_time"):
        refund(charge, 5, done_at=made.done_at)
    Refund.objects.update(state="failed")
    assert Refund.objects.get().done_at == made.done_at


def test_a_unit_is_refunded_once_and_of_its_own_order(charge) -> None:
    line = charge.order.order_lines.get(quantity=2)
    failed = refund(charge, 385_000, line=line, units=1)
    refund(charge, 385_000, line=line, units=1)
    refund(charge, 5, line=line)
    with refuses("refunded_units_were_sold"):
        refund(charge, 385_000, line=line, units=1)
    Refund.objects.filter(pk=failed.pk).update(state="failed")
    refund(charge, 385_000, line=line, units=1)
    other = opened(hold(stocked(5, product="third"))).order_lines.get()
    with refuses("refunded_units_were_sold"):
        refund(charge, 5, line=other, units=1)

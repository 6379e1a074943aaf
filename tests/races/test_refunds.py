"""Refunds of one charge at the same time: each is counted, and never more than the charge."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event

import pytest
from django.db import IntegrityError, connection, transaction

from checkout.models import Charge
from checkout.models.money_triggers import LOCK_CHARGE
from tests.checkout.orders import brought, opened, refund
from tests.reservations.test_verbs import hold
from tests.running import PATIENCE, wait_for
from tests.server import somebody_waits
from tests.stock import all_at_once, stocked

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.race,
    pytest.mark.usefixtures("unhurried"),
]

SUMMED = """
    SELECT pg_get_functiondef(tgfoid) FROM pg_trigger
    WHERE tgname LIKE 'pgtrigger_refunds_are_summed_%%'
"""


@contextmanager
def without_the_lock() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute(SUMMED)
        [made] = cursor.fetchone()
        assert LOCK_CHARGE in made
        cursor.execute(made.replace(LOCK_CHARGE, ""))
        try:
            yield
        finally:
            cursor.execute(made)


@pytest.fixture
def charge() -> Charge:
    return brought(opened(hold(stocked(5))), "paid").charges.get()


def outcome(charge: Charge, amount: int) -> str:
    """The constraint that refuses this refund, or "done"."""
    try:
        refund(charge, amount)
    except IntegrityError as error:
        return str(error.__cause__.diag.constraint_name)  # type: ignore[union-attr]
    return "done"


def second_of_two(charge: Charge, amount: int) -> str:
    """One is sent while another is written but not committed."""
    written = Event()

    def one(caller: int) -> str:
        if caller:
            written.wait(PATIENCE)
            return outcome(charge, amount)
        with transaction.atomic():
            refund(charge, amount)
            written.set()
            wait_for(somebody_waits)
        return "done"

    first, second = all_at_once(2, one)
    assert first == "done"
    return str(second)


@pytest.mark.parametrize(("share", "expected"), [(2, "done"), (1, "refunded_at_most_the_charge")])
def test_a_refund_waits_for_another_and_counts_it(charge, share, expected) -> None:
    assert second_of_two(charge, charge.amount // share) == expected
    charge.refresh_from_db()
    assert charge.refunded_paise == charge.amount


def test_without_the_lock_the_other_would_be_missed(charge) -> None:
    with without_the_lock():
        assert second_of_two(charge, charge.amount // 2) == "done"
    charge.refresh_from_db()
    assert charge.refunded_paise == charge.amount // 2


def test_of_many_refunds_at_once_as_many_are_made_as_the_charge_allows(charge) -> None:
    outcomes = all_at_once(8, lambda _: outcome(charge, charge.amount // 5))
    assert sorted(map(str, outcomes)) == ["done"] * 5 + ["refunded_at_most_the_charge"] * 3
    charge.refresh_from_db()
    assert charge.refunded_paise == charge.amount

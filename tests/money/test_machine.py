"""Money in any order of events."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import DatabaseError
from hypothesis import HealthCheck, Phase, settings
from hypothesis.errors import HypothesisException
from hypothesis.stateful import run_state_machine_as_test

from checkout import clock, due, settle
from checkout.commands import Decide
from checkout.models import Charge, Order, Refund
from checkout.orders import statements
from checkout.payments.base import Fact, Seen
from checkout.payments.providers import provider
from reservations.engine import bags
from tests.money.machine import Machine

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]

STEPS = 20


@contextmanager
def one_by_one(_threads: int) -> Iterator[SimpleNamespace]:
    """In place of the clock's threads: a history goes the same way again when it is repeated, and
    no connection is made for each look."""
    yield SimpleNamespace(map=map)


@pytest.fixture
def machine(bank, monkeypatch) -> type[Machine]:
    # No history waits for its pauses.
    monkeypatch.setattr(due, "FIRST_PAUSE", 0)
    monkeypatch.setattr(clock, "ThreadPoolExecutor", one_by_one)
    monkeypatch.setattr(clock, "_look_in_a_thread", clock.settle_one)
    Machine.bank = bank
    return Machine


def run(machine: type[Machine], examples: int, **more: Any) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
            report_multiple_bugs=False,
            **more,
        ),
    )


def test_any_order_of_events_leaves_all_money_where_it_belongs(machine) -> None:
    run(machine, int(os.environ.get("MACHINE_STEPS", "1200")) // STEPS)
    # A machine that comes to no sale would find nothing.
    assert Order.objects.filter(state="paid").exists()
    assert Charge.objects.filter(decision="give_back").exists()
    assert Refund.objects.filter(state="done").exists()


def sells_what_is_dead(monkeypatch) -> None:
    monkeypatch.setattr(bags, "_sellable", lambda *_: True)


def captures_before_it_decides(monkeypatch) -> None:
    decide = settle._decide

    def hasty(payment: Any, seen: Seen) -> bool:
        for money in seen.money:
            if money.fact is Fact.AUTHORISED:
                provider("bank").capture(money.reference, money.amount)
        return decide(payment, seen)

    monkeypatch.setattr(settle, "_decide", hasty)


def leaves_the_second_charge(monkeypatch) -> None:
    decide = Decide.decide

    def first_only(command: Decide, books: Any) -> Any:
        known = books.above[statements.CHARGES][command.order_id]
        return decide(replace(command, money=() if known else command.money[:1]), books)

    monkeypatch.setattr(Decide, "decide", first_only)


@pytest.mark.parametrize(
    "fault", [sells_what_is_dead, captures_before_it_decides, leaves_the_second_charge]
)
def test_the_machine_finds_a_rule_that_is_broken(machine, monkeypatch, fault) -> None:
    """The negative control. Each is found within the first histories."""
    fault(monkeypatch)
    with pytest.raises((AssertionError, DatabaseError, HypothesisException)):
        run(machine, 20, derandomize=True, phases=(Phase.generate,))

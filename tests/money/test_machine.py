"""Money in any order of events."""

import os

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.money.machine import Machine

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]

STEPS = 20


@pytest.fixture
def machine(bank) -> type[Machine]:
    Machine.bank = bank
    return Machine


def run(machine: type[Machine], examples: int, **more: object) -> None:
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

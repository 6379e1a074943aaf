"""Statements that share a round trip: their values, their errors, and what is left after these."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from django.db import (
    DataError,
    IntegrityError,
    OperationalError,
    ProgrammingError,
    connection,
    transaction,
)
from django.db.models import F

from allo.postgresql import trips
from allo.postgresql.faults import fault_of, sqlstate_of
from allo.postgresql.trips import Statement, _Trip
from catalog.models import Product
from inventory.models import Inventory
from reservations import services
from reservations.engine.commands import Holder
from reservations.models import Reservation
from tests.stock import stocked

pytestmark = pytest.mark.django_db(transaction=True)

ODD = [
    "",
    "NULL",
    "null",
    "a b",
    'a"b',
    "a\\b",
    "{a,b}",
    "a,b",
    "'",
    "\\x00",
    "é₹🙂",
    "\n\t\x7f",
    "%s",
]


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("text", [*ODD, None]),
        ("bigint", [0, -1, 2**63 - 1, None]),
        ("bool", [True, False, None]),
        ("bytea", [b"", bytes(range(256)), None]),
        ("uuid", [UUID(int=1), None]),
        ("timestamptz", [datetime(2026, 11, 26, 12, 30, 0, 123456, tzinfo=UTC), None]),
    ],
)  # fmt: skip
def test_values_arrive_as_they_were_sent(kind: str, values: list[Any]) -> None:
    alone = [Statement(f"SELECT %s::{kind}", [value]) for value in values]
    with transaction.atomic():
        array, empty, *rows = trips.run(
            [
                Statement(f"SELECT unnest(%s::{kind}[])", [values]),
                Statement(f"SELECT unnest(%s::{kind}[])", [[]]),
                *alone,
            ]
        )
    assert array == [(value,) for value in values]
    assert empty == []
    assert rows == [[(value,)] for value in values]


def test_text_with_nul_is_refused_before_anything_is_sent() -> None:
    with transaction.atomic():
        for value in ("a\0b", ["a\0b"]):
            with pytest.raises(DataError):
                trips.run([Statement("SELECT %s::text", [value])])
        assert trips.run([Statement("SELECT 1")]) == [[(1,)]]


WRONG = Statement("SELECT 1 / %s::int", [0])


@pytest.mark.parametrize("values", [[], [1, 2]])
def test_another_number_of_values_is_a_bug_and_no_lost_connection(values) -> None:
    with pytest.raises(ProgrammingError, match="SELECT %s") as refused, transaction.atomic():
        trips.run([Statement("SELECT %s::int", values)])
    assert fault_of(refused.value) is None
    with transaction.atomic():
        assert trips.run([Statement("SELECT %s::int", [1])]) == [[(1,)]]


def test_an_error_ends_the_trip_and_the_connection_can_be_used_again() -> None:
    before, after = Statement("SELECT 'before'"), Statement("SELECT 'after'")
    for _ in range(2):
        with pytest.raises(DataError, match="division by zero"), transaction.atomic():
            trips.run([before, WRONG, after])
    with transaction.atomic():
        assert trips.run([before, after, after]) == [[("before",)], [("after",)], [("after",)]]


def test_an_error_at_the_commit_is_raised() -> None:
    """A foreign key is checked only there."""
    hold = Statement(
        "INSERT INTO reservations_idempotencykey (client, endpoint, key, request_hash, status,"
        " body, reservation_id, created_at) VALUES ('', '', '', '', 201, '', %s::uuid, now())",
        [UUID(int=1)],
    )
    with pytest.raises(IntegrityError), transaction.atomic():
        trips.run([hold, Statement("COMMIT")])
    with transaction.atomic():
        assert trips.run([Statement("SELECT count(*) FROM reservations_idempotencykey")]) == [
            [(0,)]
        ]


MINE = Statement("SELECT pg_backend_pid()")


def test_a_connection_that_is_lost_in_a_trip_is_replaced() -> None:
    end = Statement("SELECT pg_terminate_backend(pg_backend_pid())")
    with pytest.raises(OperationalError) as lost, transaction.atomic():
        trips.run([MINE, end, MINE])
    assert sqlstate_of(lost.value) == "57P01"
    with transaction.atomic():
        assert len(trips.run([MINE])) == 1


def test_a_trip_that_is_interrupted_leaves_no_results_for_the_next(monkeypatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    connection.ensure_connection()
    first = connection.connection
    monkeypatch.setattr(_Trip, "_receive", interrupted)
    with pytest.raises(KeyboardInterrupt), transaction.atomic():
        trips.run([MINE])
    assert first.closed
    monkeypatch.undo()
    with transaction.atomic():
        assert len(trips.run([MINE])) == 1


def test_writes_are_not_waited_for_but_what_is_read_is() -> None:
    row = stocked(5)
    with transaction.atomic():
        with trips.unanswered():
            written = [Inventory.objects.update(total_units=F("total_units") + 1) for _ in range(2)]
            assert Inventory.objects.get().total_units == 7
            Inventory.objects.update(total_units=9)
        assert written == [-1, -1]
    row.refresh_from_db()
    assert row.total_units == 9


def test_an_error_of_a_write_that_is_not_waited_for_takes_all_back() -> None:
    """It comes with a later statement, or at the end."""
    row = stocked(5)

    def write() -> None:
        with transaction.atomic(), trips.unanswered():
            Product.objects.update(name="Other")
            Inventory.objects.update(total_units=-1)
            Product.objects.update(name="Another")

    with pytest.raises(IntegrityError, match="reserved_lte_total"):
        write()
    row.refresh_from_db()
    assert (row.total_units, Product.objects.get().name) == (5, "Tidal")


def test_each_statement_is_planned_once() -> None:
    row = stocked(100)
    for n in range(8):
        services.reserve(product_id=row.product_id, quantity=1, holder=Holder(f"user:{n}", "a/32"))
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement, generic_plans, custom_plans FROM pg_prepared_statements")
        plans = {statement.split("(")[0].strip(): plans for statement, *plans in cursor.fetchall()}
    assert len(plans) == 10
    del plans["SELECT set_config"]  # after it plans are kept
    assert set(map(tuple, plans.values())) == {(8, 0)}


def test_a_reservation_takes_two_round_trips(monkeypatch) -> None:
    row = stocked(5)
    services.reserve(product_id=row.product_id, quantity=1, holder=Holder("user:1"))
    waits = 0
    wait = connection.connection.wait

    def counted(gen: Any, *given: Any, **more: Any) -> Any:
        def watched() -> Any:
            nonlocal waits
            waited = False
            try:
                ready = None
                while True:
                    asked = gen.send(ready)
                    waits += not waited
                    waited = True
                    ready = yield asked
            except StopIteration as done:
                return done.value

        return wait(watched(), *given, **more)

    monkeypatch.setattr(connection.connection, "wait", counted)
    services.reserve_in(rows=(row.pk,), quantity=1, holder=Holder("user:2"))
    assert waits == 2
    assert Reservation.objects.count() == 2

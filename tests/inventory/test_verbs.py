"""The stock verbs of staff: under the lock, with a ledger line, never below what is held."""

from dataclasses import replace
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from inventory import adjustments, services
from inventory.adjustments import MAX_UNITS, Adjustment
from inventory.exceptions import (
    AlreadyDone,
    BelowReserved,
    BelowZero,
    ChangedMeanwhile,
    Refused,
    TooMany,
)
from inventory.models import Inventory, StockMovement, Warehouse
from inventory.services import Move
from tests import stock_room
from tests.reservations.test_verbs import hold
from tests.stock import stocked

pytestmark = pytest.mark.django_db

Reason = StockMovement.Reason


def total(row: Inventory) -> int:
    return Inventory.objects.get(pk=row.pk).total_units


def lines_of(row: Inventory) -> list[tuple[int, str]]:
    """Its movements after the opening, oldest first."""
    lines = StockMovement.objects.filter(inventory=row).exclude(reason="opening").order_by("pk")
    return list(lines.values_list("delta", "reason"))


@pytest.fixture
def staff() -> User:
    return User.objects.create_user("staff")


def test_an_adjustment_records_actor_and_reason(staff) -> None:
    row = stocked(9)
    line = stock_room.adjust(
        inventory_id=row.pk, delta=-2, reason=Reason.DAMAGED, note="Fell", actor=staff
    )
    assert total(row) == 7
    assert (line.delta, line.reason, line.note, line.actor) == (-2, "damaged", "Fell", staff)


def test_writing_off_reduces_the_total(staff) -> None:
    row = stocked(9)
    stock_room.write_off(inventory_id=row.pk, units=9, note="Flood", actor=staff)
    assert (total(row), lines_of(row)) == (0, [(-9, "written_off")])


@pytest.mark.parametrize("there", [0, 4])
def test_a_move_is_two_lines_of_one_reference(staff, there) -> None:
    row = stocked(9)
    if there:
        stocked(there, warehouse="del-01")
    else:
        Warehouse.objects.create(code="del-01", name="Delhi")
    move = Move(row.pk, Warehouse.objects.get(code="del-01").pk, 5)
    lines = services.transfer(moves=[move], actor=staff)
    taken, put = StockMovement.objects.filter(pk__in=lines).order_by("pk")
    assert (total(row), total(put.inventory)) == (4, there + 5)
    assert (taken.delta, put.delta, taken.reason, put.reason) == (
        -5,
        5,
        "transferred",
        "transferred",
    )
    assert taken.reference == put.reference is not None


def test_a_move_that_is_refused_leaves_no_trace() -> None:
    row = stocked(3)
    there = Warehouse.objects.create(code="del-01", name="Delhi")
    with pytest.raises(Refused) as refused:
        services.transfer(moves=[Move(row.pk, there.pk, 4)])
    assert isinstance(refused.value.errors[0], BelowZero)
    assert Inventory.objects.get().total_units == 3


def test_held_units_cannot_be_taken_away() -> None:
    row = stocked(5)
    hold(row, 4)
    with pytest.raises(BelowReserved) as refused:
        stock_room.write_off(inventory_id=row.pk, units=2, note="Broken")
    assert (refused.value.inventory_id, refused.value.reserved, refused.value.total) == (
        row.pk,
        4,
        3,
    )
    stock_room.write_off(inventory_id=row.pk, units=1, note="Broken")
    assert total(row) == 4


def test_more_than_a_row_can_hold_is_refused() -> None:
    row = stocked(5)
    with pytest.raises(TooMany):
        stock_room.receive(inventory_id=row.pk, units=MAX_UNITS)


def test_several_adjustments_are_all_applied_or_each_refusal_is_named() -> None:
    rows = [stocked(5, product=f"vase-{n}") for n in range(3)]
    hold(rows[1], 5)
    changes = [Adjustment(row.pk, -1, Reason.LOST) for row in rows]
    with pytest.raises(Refused) as refused:
        services.apply(adjustments=changes)
    assert [*refused.value.errors] == [1]
    assert [total(row) for row in rows] == [5, 5, 5]
    services.apply(adjustments=[changes[0], changes[2]])
    assert [total(row) for row in rows] == [4, 5, 4]
    assert [len(lines_of(row)) for row in rows] == [1, 0, 1]


def test_several_changes_of_one_row_are_checked_in_order() -> None:
    row = stocked(1)
    steps = [Adjustment(row.pk, delta, Reason.ADJUSTED) for delta in (3, -4, -1)]
    with pytest.raises(Refused) as refused:
        services.apply(adjustments=steps)
    assert [*refused.value.errors] == [2]
    services.apply(adjustments=steps[:2])
    assert total(row) == 0


def test_a_reference_is_applied_once() -> None:
    row = stocked(5)
    change = Adjustment(row.pk, 2, Reason.RECEIVED, reference=uuid4())
    services.apply(adjustments=[change])
    with pytest.raises(AlreadyDone):
        services.apply(adjustments=[change])
    assert total(row) == 7


def test_a_row_that_changed_since_it_was_seen_is_not_changed() -> None:
    row = stocked(5)
    with pytest.raises(Refused) as refused:
        services.apply(adjustments=[Adjustment(row.pk, 2, Reason.COUNTED, seen=4)])
    error = refused.value.errors[0]
    assert isinstance(error, ChangedMeanwhile)
    assert (error.found, total(row)) == (5, 5)


def test_setting_a_threshold_writes_no_ledger_line() -> None:
    row, other = stocked(5), stocked(5, product="other")
    services.set_threshold(thresholds={row.pk: 5})
    assert list(Inventory.objects.low()) == [row]
    assert lines_of(row) == lines_of(other) == []


def test_zero_is_seen_as_any_other_number_is() -> None:
    row = stocked(5)
    with pytest.raises(Refused):
        services.apply(adjustments=[Adjustment(row.pk, 2, Reason.COUNTED, seen=0)])


def test_as_many_as_a_row_can_hold_are_taken() -> None:
    row = stocked(5)
    stock_room.receive(inventory_id=row.pk, units=MAX_UNITS - 5)
    assert total(row) == MAX_UNITS


def test_a_row_that_is_not_there_does_not_exist() -> None:
    with pytest.raises(Inventory.DoesNotExist):
        stock_room.receive(inventory_id=404, units=1)


def test_a_move_is_done_once_by_what_was_seen_where_it_is_taken_from() -> None:
    row, there = stocked(9), stocked(4, warehouse="del-01")
    move = Move(row.pk, there.warehouse_id, 5, reference=uuid4(), seen=9)
    services.transfer(moves=[move])
    with pytest.raises(AlreadyDone):
        services.transfer(moves=[replace(move, seen=None)])
    assert (total(row), total(there)) == (4, 9)


def test_many_rows_are_locked_in_order_whatever_the_order_they_come_in(monkeypatch) -> None:
    monkeypatch.setattr(adjustments, "PORTION", 1)
    rows = sorted(stocked(5, product=f"vase-{n}").pk for n in range(3))
    with CaptureQueriesContext(connection) as queries:
        services.set_threshold(thresholds=dict.fromkeys(reversed(rows), 2))
    locked = [query["sql"] for query in queries if "FOR NO KEY UPDATE" in query["sql"]]
    assert [int(sql.split(" IN (")[1].split(")")[0]) for sql in locked] == rows


def test_progress_counts_each_row_when_it_is_locked_and_when_it_is_written(monkeypatch) -> None:
    monkeypatch.setattr(adjustments, "PORTION", 2)
    rows = [stocked(5, product=f"vase-{n}") for n in range(3)]
    done: list[int] = []
    changes = [Adjustment(row.pk, 1, Reason.RECEIVED) for row in rows]
    services.apply(adjustments=changes, progress=done.append)
    assert done == [2, 3, 5, 6]

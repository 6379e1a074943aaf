"""Changes of stock by staff: under the rows' locks, each with its line in the ledger. All go
through `apply`, in one transaction: all changes are made, or none."""

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from django.contrib.auth.models import User
from django.db import Error, connection, transaction

from allo.postgresql.faults import Fault, fault_of
from inventory import locks
from inventory.adjustments import Adjustment, portions, refusal, write
from inventory.exceptions import (
    AlreadyDone,
    Busy,
    ChangedMeanwhile,
    Refused,
    StockError,
    Storage,
)
from inventory.models import Inventory, StockMovement

PLACE = ("pk", "product", "warehouse")
SET_THRESHOLDS = """
    UPDATE inventory_inventory AS row SET low_stock_threshold = wanted.threshold
    FROM unnest(%s::bigint[], %s::int[]) AS wanted(id, threshold)
    WHERE row.id = wanted.id
"""


def ignore_progress(_done: int) -> None:
    """The default: progress is not reported."""


def apply(
    *,
    adjustments: Sequence[Adjustment],
    actor: User | None = None,
    progress: Callable[[int], None] = ignore_progress,
) -> list[int]:
    """Applies all adjustments; returns the keys of the new ledger lines in the same order. Raises
    `Refused` with the error of each, `AlreadyDone`, `Busy`, `Storage`; `Inventory.DoesNotExist` for
    an unknown row.

    `progress` gets the number of rows locked plus rows written, so at the end twice the rows.
    """
    with refusing_faults(), transaction.atomic():
        rows = _lock({adjustment.inventory_id for adjustment in adjustments}, progress)
        references = {adjustment.reference for adjustment in adjustments} - {None}
        # The condition of the index by reference: there are as many sales as orders.
        of_staff = StockMovement.objects.exclude(reason=StockMovement.Reason.SOLD)
        if of_staff.filter(reference__in=references).exists():
            raise AlreadyDone
        if errors := _errors(rows, adjustments):
            raise Refused(errors)
        return write(adjustments, actor, lambda done: progress(len(rows) + done))


def put_first(
    *,
    product_id: int,
    units: Mapping[int, int],
    reference: uuid.UUID | None = None,
    note: str = "",
    actor: User | None = None,
) -> list[int]:
    """A product's first units in warehouses, by the warehouse's key, each in a row that is made if
    there is none. Raises `Refused` if one has units by now, `AlreadyDone`, `Busy`, `Storage`."""
    with refusing_faults(), transaction.atomic():
        rows = _rows_at({(product_id, warehouse) for warehouse in units})
        first = [
            Adjustment(
                inventory_id=rows[product_id, warehouse],
                delta=number,
                reason=StockMovement.Reason.OPENING,
                note=note,
                reference=reference,
                seen=0,
            )
            for warehouse, number in units.items()
        ]
        return apply(adjustments=first, actor=actor)


@dataclass(frozen=True, slots=True)
class Move:
    """Units to be moved from a row to another warehouse."""

    inventory_id: int
    warehouse_id: int
    units: int
    note: str = ""
    reference: uuid.UUID | None = None
    seen: int | None = None


def transfer(*, moves: Sequence[Move], actor: User | None = None) -> list[int]:
    """Moves units. Each move is two ledger lines with the same reference. Raises `Refused` (keyed
    by the place among these lines), `AlreadyDone`, `Busy`."""
    with refusing_faults(), transaction.atomic():
        return apply(adjustments=[*_pairs(moves)], actor=actor)


def set_threshold(*, thresholds: Mapping[int, int], seen: Mapping[int, int] | None = None) -> None:
    """From how many units down each row is low. No change of stock, so no line of the ledger.
    `seen` are the thresholds that whoever sets them was shown. Raises `Refused` by the place among
    the thresholds, `Busy`."""
    with refusing_faults(), transaction.atomic(), connection.cursor() as cursor:
        rows = _lock(thresholds)
        if errors := _thresholds_changed(rows, thresholds, seen or {}):
            raise Refused(errors)
        cursor.execute(SET_THRESHOLDS, [list(thresholds), list(thresholds.values())])


def _thresholds_changed(
    rows: Mapping[int, Inventory], thresholds: Iterable[int], seen: Mapping[int, int]
) -> dict[int, StockError]:
    now = {pk: row.low_stock_threshold for pk, row in rows.items()}
    return {
        place: ChangedMeanwhile(seen[pk], now[pk])
        for place, pk in enumerate(thresholds)
        if pk in seen and pk in now and seen[pk] != now[pk]
    }


def _pairs(moves: Sequence[Move]) -> Iterator[Adjustment]:
    rows = Inventory.objects.filter(pk__in=[move.inventory_id for move in moves])
    products = dict(rows.values_list("pk", "product"))
    places = [(products[move.inventory_id], move.warehouse_id) for move in moves]
    there = _rows_at(set(places))
    for move, place in zip(moves, places, strict=True):
        taken = Adjustment(
            inventory_id=move.inventory_id,
            delta=-move.units,
            reason=StockMovement.Reason.TRANSFERRED,
            note=move.note,
            reference=move.reference or uuid.uuid4(),
            seen=move.seen,
        )
        yield taken
        yield replace(taken, inventory_id=there[place], delta=move.units, seen=None)


def _rows_at(places: set[tuple[int, int]]) -> dict[tuple[int, int], int]:
    """The row of each product in each warehouse. Missing rows are created with 0 units, in the same
    order by every transaction, to avoid deadlocks."""
    rows = Inventory.objects.filter(
        product__in={product for product, _ in places},
        warehouse__in={warehouse for _, warehouse in places},
    )
    there = {(product, house): pk for pk, product, house in rows.values_list(*PLACE)}
    if missing := sorted(places - there.keys()):
        new = [Inventory(product_id=product, warehouse_id=house) for product, house in missing]
        Inventory.objects.bulk_create(new, ignore_conflicts=True)
        there = {(product, house): pk for pk, product, house in rows.values_list(*PLACE)}
    return there


@contextmanager
def refusing_faults() -> Iterator[None]:
    """Turns a fault of the database into a refusal in words for staff."""
    try:
        yield
    except Error as error:
        if fault := fault_of(error):
            raise (Storage if fault is Fault.STORAGE else Busy) from error
        raise


def _lock(
    ids: Iterable[int], progress: Callable[[int], None] = ignore_progress
) -> dict[int, Inventory]:
    """Locks all the rows in the lock order, a portion per statement."""
    rows: dict[int, Inventory] = {}
    for portion in portions(sorted(ids)):
        rows.update((row.pk, row) for row in locks.locking(portion))
        progress(len(rows))
    return rows


def _errors(rows: dict[int, Inventory], adjustments: Sequence[Adjustment]) -> dict[int, StockError]:
    """The errors by place. Afterwards `rows` have the totals that the adjustments lead to."""
    errors = {}
    for place, adjustment in enumerate(adjustments):
        if adjustment.inventory_id not in rows:
            raise Inventory.DoesNotExist
        row = rows[adjustment.inventory_id]
        if error := refusal(row, adjustment):
            errors[place] = error
        row.total_units += adjustment.delta
    return errors

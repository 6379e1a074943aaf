"""Changes of stock by staff: under the rows' locks, each with its line in the ledger. All go
through `apply`, in one transaction: all changes are made, or none."""

import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from django.contrib.auth.models import User
from django.db import Error, connection, transaction

from allo.live.events import tell
from allo.postgresql.faults import Fault, fault_of
from inventory import locks
from inventory.events import StockChanged
from inventory.exceptions import (
    AlreadyDone,
    BelowReserved,
    BelowZero,
    Busy,
    ChangedMeanwhile,
    Refused,
    StockError,
    Storage,
    TooMany,
)
from inventory.models import Inventory, StockMovement

Reason = StockMovement.Reason
Thing = TypeVar("Thing")

PLACE = ("pk", "product", "warehouse")
MAX_UNITS = 1_000_000_000
# Rows per statement, so that each stays short.
PORTION = 2000

CHANGE_TOTALS = """
    UPDATE inventory_inventory AS row SET total_units = row.total_units + change.delta
    FROM unnest(%s::bigint[], %s::int[]) AS change(id, delta)
    WHERE row.id = change.id
    RETURNING row.id, row.product_id, row.total_units, row.reserved_units, clock_timestamp()
"""
WRITE_LINES = """
    INSERT INTO inventory_stockmovement (actor_id, inventory_id, delta, reason, note, reference)
    SELECT %s::int, line.*
    FROM unnest(%s::bigint[], %s::int[], %s::text[], %s::text[], %s::uuid[]) AS line
    RETURNING id
"""
SET_THRESHOLDS = """
    UPDATE inventory_inventory AS row SET low_stock_threshold = wanted.threshold
    FROM unnest(%s::bigint[], %s::int[]) AS wanted(id, threshold)
    WHERE row.id = wanted.id
"""


@dataclass(frozen=True, slots=True)
class Adjustment:
    """A change to be made. `seen` is the total that the person saw; None skips that check."""

    inventory_id: int
    delta: int
    reason: Reason
    note: str = ""
    reference: uuid.UUID | None = None
    seen: int | None = None


def nobody_waits(_done: int) -> None:
    """The default: progress is not reported."""


def apply(
    *,
    adjustments: Sequence[Adjustment],
    actor: User | None = None,
    progress: Callable[[int], None] = nobody_waits,
) -> list[int]:
    """Applies all adjustments; returns the keys of the new ledger lines in the same order. Raises
    `Refused` with the error of each, `AlreadyDone`, `Busy`, `Storage`; `Inventory.DoesNotExist` for
    an unknown row.

    `progress` gets the number of rows locked plus rows written, so at the end twice the rows.
    """
    with refusing_faults(), transaction.atomic():
        rows = _lock({adjustment.inventory_id for adjustment in adjustments}, progress)
        references = {adjustment.reference for adjustment in adjustments} - {None}
        if StockMovement.objects.filter(reference__in=references).exists():
            raise AlreadyDone
        if errors := _errors(rows, adjustments):
            raise Refused(errors)
        return _write(adjustments, actor, lambda done: progress(len(rows) + done))


def receive(
    *, inventory_id: int, units: int, actor: User | None = None, note: str = ""
) -> StockMovement:
    """Adds delivered units. Raises `Inventory.DoesNotExist`, `Busy`; IntegrityError for a change
    that breaks an invariant."""
    return _one(Adjustment(inventory_id, units, Reason.RECEIVED, note), actor)


def adjust(
    *, inventory_id: int, delta: int, reason: Reason, note: str, actor: User | None = None
) -> StockMovement:
    """A correction, for one of the reasons in `StockMovement.ADJUSTMENTS`. Raises `BelowReserved`,
    `Busy`."""
    assert reason in StockMovement.ADJUSTMENTS
    return _one(Adjustment(inventory_id, delta, reason, note), actor)


def write_off(
    *, inventory_id: int, units: int, note: str, actor: User | None = None
) -> StockMovement:
    """Removes units that are lost for good. Raises `BelowReserved`, `Busy`."""
    return _one(Adjustment(inventory_id, -units, Reason.WRITTEN_OFF, note), actor)


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
            reason=Reason.TRANSFERRED,
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


def _one(adjustment: Adjustment, actor: User | None) -> StockMovement:
    try:
        (line,) = apply(adjustments=[adjustment], actor=actor)
    except Refused as refused:
        raise refused.errors[0] from None
    return StockMovement.objects.get(pk=line)


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
    ids: Iterable[int], progress: Callable[[int], None] = nobody_waits
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


def refusal(row: Inventory, adjustment: Adjustment) -> StockError | None:
    """Why the adjustment of this row is refused; None if it is possible."""
    total = row.total_units + adjustment.delta
    if adjustment.seen is not None and adjustment.seen != row.total_units:
        return ChangedMeanwhile(adjustment.seen, row.total_units)
    if total < 0:
        return BelowZero(-total)
    if total < row.reserved_units and adjustment.delta < 0:
        return BelowReserved(row.pk, row.reserved_units, total)
    return TooMany(MAX_UNITS) if total > MAX_UNITS else None


def _write(
    adjustments: Sequence[Adjustment], actor: User | None, progress: Callable[[int], None]
) -> list[int]:
    """Changes totals that are locked and validated: the only place that does. It uses arrays to be
    fast, since shoppers wait for the rows; returns the keys of the ledger lines."""
    written: list[int] = []
    events: list[StockChanged] = []
    with connection.cursor() as cursor:
        for portion in portions(adjustments):
            deltas: Counter[int] = Counter()
            for adjustment in portion:
                deltas[adjustment.inventory_id] += adjustment.delta
            cursor.execute(CHANGE_TOTALS, [list(deltas), list(deltas.values())])
            events += [StockChanged(*row) for row in cursor.fetchall()]
            cursor.execute(WRITE_LINES, [actor.pk if actor else None, *_columns(portion)])
            written += [pk for (pk,) in cursor.fetchall()]
            progress(len(written))
    transaction.on_commit(lambda: tell(events), robust=True)
    return written


def _columns(adjustments: Sequence[Adjustment]) -> list[list[Any]]:
    """The adjustments as one array per column, for `unnest`."""
    lines = [(a.inventory_id, a.delta, a.reason.value, a.note, a.reference) for a in adjustments]
    return [list(column) for column in zip(*lines, strict=True)]


def portions(things: Sequence[Thing]) -> Iterator[Sequence[Thing]]:
    for start in range(0, len(things), PORTION):
        yield things[start : start + PORTION]

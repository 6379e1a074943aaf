"""Adjustments: what may refuse one, and how they are written, each with its line in the ledger."""

import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from django.contrib.auth.models import User
from django.db import connection, transaction

from inventory.events import StockChanged, publish
from inventory.exceptions import BelowReserved, BelowZero, ChangedMeanwhile, StockError, TooMany
from inventory.models import Inventory, StockMovement

Thing = TypeVar("Thing")

MAX_UNITS = 1_000_000_000
# Rows per statement, so that each stays short.
PORTION = 2000

CHANGE_TOTALS = """
    UPDATE inventory_inventory AS row
    SET total_units = row.total_units + change.delta, run_units = row.run_units + change.run
    FROM unnest(%s::bigint[], %s::int[], %s::int[]) AS change(id, delta, run)
    WHERE row.id = change.id
    RETURNING row.id, row.product_id, row.total_units, row.reserved_units, clock_timestamp(),
        row.list_needs
"""
WRITE_LINES = """
    INSERT INTO inventory_stockmovement (actor_id, inventory_id, delta, reason, note, reference)
    SELECT %s::int, line.*
    FROM unnest(%s::bigint[], %s::int[], %s::text[], %s::text[], %s::uuid[]) AS line
    RETURNING id
"""


@dataclass(frozen=True, slots=True)
class Adjustment:
    """A change to be made. `seen` is the total that the person saw; None skips that check."""

    inventory_id: int
    delta: int
    reason: StockMovement.Reason
    note: str = ""
    reference: uuid.UUID | None = None
    seen: int | None = None


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


def write(
    adjustments: Sequence[Adjustment], actor: User | None, progress: Callable[[int], None]
) -> list[int]:
    """Changes totals that are locked and validated: the only place that does. It uses arrays to be
    fast, since shoppers wait for the rows; returns the keys of the ledger lines."""
    written: list[int] = []
    events: list[StockChanged] = []
    with connection.cursor() as cursor:
        for portion in portions(adjustments):
            deltas, runs = Counter[int](), Counter[int]()
            for adjustment in portion:
                deltas[adjustment.inventory_id] += adjustment.delta
                if adjustment.reason not in StockMovement.NOT_OF_RUN:
                    runs[adjustment.inventory_id] += adjustment.delta
            changes = [[*deltas], [*deltas.values()], [runs[row] for row in deltas]]
            cursor.execute(CHANGE_TOTALS, changes)
            events += [StockChanged(*row) for row in cursor.fetchall()]
            cursor.execute(WRITE_LINES, [actor.pk if actor else None, *_columns(portion)])
            written += [pk for (pk,) in cursor.fetchall()]
            progress(len(written))
    transaction.on_commit(lambda: publish(events), robust=True)
    return written


def _columns(adjustments: Sequence[Adjustment]) -> list[list[Any]]:
    """The adjustments as one array per column, for `unnest`."""
    lines = [(a.inventory_id, a.delta, a.reason.value, a.note, a.reference) for a in adjustments]
    return [list(column) for column in zip(*lines, strict=True)]


def portions(things: Sequence[Thing]) -> Iterator[Sequence[Thing]]:
    for start in range(0, len(things), PORTION):
        yield things[start : start + PORTION]

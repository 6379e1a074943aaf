"""Applies a checked file: all of its rows or none."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import UUID

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models import F, OuterRef, Subquery
from django.db.models.functions import Now

from allo.postgresql import timeouts
from inventory import services
from inventory.adjustments import Adjustment
from inventory.exceptions import AlreadyDone, Refused, StockError
from inventory.models import Inventory, StockImport, StockImportRow, StockMovement

Reason = StockMovement.Reason
State = StockImport.State

DONE = """
    UPDATE inventory_stockimport SET done = %s, stirred_at = now()
    WHERE id = %s AND state = 'applying'
"""


class AppliedBefore(Exception):
    """Another import with the same rows was applied, or is being applied."""


@transaction.atomic
def begin(kept: StockImport, *, again: UUID | None = None) -> bool:
    """Marks the import as being applied; False if it already is or was. Raises `AppliedBefore`,
    unless `again` is the import that applied the same rows last."""
    # Locks all imports of the same rows: of two that start at once, the second sees the first.
    list(StockImport.objects.same_as(kept).order_by("pk").select_for_update(no_key=True))
    free = StockImport.objects.free().filter(pk=kept.pk)
    twin = StockImport.objects.twins_of(kept).first()
    if twin and twin.pk != again and free.exists():
        raise AppliedBefore
    return bool(free.update(state=State.APPLYING, done=0, trouble="", stirred_at=Now()))


def abandon(kept: StockImport, why: str) -> None:
    """Sets the import back to checked. No stock was changed."""
    applying = StockImport.objects.filter(pk=kept.pk, state=State.APPLYING)
    applying.update(state=State.CHECKED, trouble=why[:200])


@contextmanager
def reported(kept: StockImport) -> Iterator[Callable[[int], None]]:
    """Records the progress through a connection of its own: others do not see the transaction
    before its commit."""
    aside = connection.copy()
    try:
        with aside.cursor() as cursor:
            yield lambda done: cursor.execute(DONE, [done, kept.pk])
    finally:
        aside.close()


def apply(
    *, kept: StockImport, actor: User, progress: Callable[[int], None] = services.ignore_progress
) -> None:
    """Applies all rows in one transaction, or none. Then the reason is stored with the import and
    the refused lines."""
    try:
        _apply(kept, actor, progress)
    except AlreadyDone:
        pass
    except StockError as refusal:
        abandon(kept, str(refusal))
    except Exception:
        abandon(kept, "Something went wrong. Nothing was changed.")
        raise


def _apply(kept: StockImport, actor: User, progress: Callable[[int], None]) -> None:
    rows = list(kept.stockimportrow_set.order_by("line"))
    adjustments = [_adjustment(kept, row) for row in rows]
    try:
        with transaction.atomic():
            timeouts.lift()
            services.apply(adjustments=adjustments, actor=actor, progress=progress)
            # Another worker has applied the same import.
            if not StockImport.objects.filter(pk=kept.pk, state=State.APPLYING).update(
                state=State.APPLIED, applied_at=Now(), actor=actor
            ):
                raise AlreadyDone
            _keep_totals(kept)
    except Refused as refused:
        _keep_errors(kept, {rows[place].pk: str(e) for place, e in refused.errors.items()})


def _keep_totals(kept: StockImport) -> None:
    """As the rows were when they were changed, each once: what was read before may be old."""
    total = Inventory.objects.filter(pk=OuterRef("inventory")).values("total_units")
    kept.stockimportrow_set.update(before=Subquery(total) - F("delta"))


def _adjustment(kept: StockImport, row: StockImportRow) -> Adjustment:
    assert row.inventory_id is not None
    assert row.delta is not None
    return Adjustment(
        inventory_id=row.inventory_id,
        delta=row.delta,
        reason=Reason(row.reason),
        note=row.note,
        reference=kept.pk,
    )


@transaction.atomic
def _keep_errors(kept: StockImport, errors: dict[int, str]) -> None:
    # First, as this locks the import: if another worker has applied it since, it stays applied.
    if not StockImport.objects.filter(pk=kept.pk, state=State.APPLYING).update(
        state=State.CHECKED,
        error_count=len(errors),
        trouble="Stock has changed since the check. Nothing was changed.",
    ):
        return
    rows = list(kept.stockimportrow_set.filter(pk__in=errors).select_related("inventory"))
    for row in rows:
        assert row.inventory is not None
        row.error = errors[row.pk]
        row.before = row.inventory.total_units
    StockImportRow.objects.bulk_update(rows, ["error", "before"], batch_size=200)

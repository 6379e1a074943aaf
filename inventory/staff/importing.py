"""What was read from a file and checked is applied: all of it or nothing."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import UUID

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models.functions import Now

from allo.postgresql import timeouts
from inventory import services
from inventory.exceptions import AlreadyDone, Refused, StockError
from inventory.models import StockImport, StockImportRow, StockMovement
from inventory.services import Adjustment

Reason = StockMovement.Reason
State = StockImport.State

DONE = """
    UPDATE inventory_stockimport SET done = %s, stirred_at = now()
    WHERE id = %s AND state = 'applying'
"""


class AppliedBefore(Exception):
    """The very same rows were applied, or are just being, by another import."""


@transaction.atomic
def begin(kept: StockImport, *, again: UUID | None = None) -> bool:
    """Marks it as being applied; False if it was applied, or somebody is at it. Raises
    `AppliedBefore`, unless `again` is the import that applied the same rows last."""
    # Of two imports of the same rows, begun at the same moment, the second finds the first.
    list(StockImport.objects.same_as(kept).order_by("pk").select_for_update(no_key=True))
    free = StockImport.objects.free().filter(pk=kept.pk)
    twin = StockImport.objects.twins_of(kept).first()
    if twin and twin.pk != again and free.exists():
        raise AppliedBefore
    return bool(free.update(state=State.APPLYING, done=0, trouble="", stirred_at=Now()))


def abandon(kept: StockImport, why: str) -> None:
    """Back to where it was; nothing was changed."""
    applying = StockImport.objects.filter(pk=kept.pk, state=State.APPLYING)
    applying.update(state=State.CHECKED, trouble=why[:200])


@contextmanager
def reported(kept: StockImport) -> Iterator[Callable[[int], None]]:
    """How far it is, for others to see: by a connection of its own, as what happens in the
    transaction is seen by nobody before it is over."""
    aside = connection.copy()
    try:
        with aside.cursor() as cursor:
            yield lambda done: cursor.execute(DONE, [done, kept.pk])
    finally:
        aside.close()


def apply(
    *, kept: StockImport, actor: User, progress: Callable[[int], None] = services.nobody_waits
) -> None:
    """All of it in one transaction, or nothing: then why not is kept with the import and with
    the lines that stood against it."""
    try:
        _apply(kept, actor, progress)
    except AlreadyDone:
        pass
    except StockError as refusal:
        abandon(kept, str(refusal))
    except Exception:
        abandon(kept, "Something went wrong; nothing was changed.")
        raise


def _apply(kept: StockImport, actor: User, progress: Callable[[int], None]) -> None:
    rows = list(kept.stockimportrow_set.order_by("line"))
    adjustments = [_adjustment(kept, row) for row in rows]
    try:
        with transaction.atomic():
            timeouts.lift()
            services.apply(adjustments=adjustments, actor=actor, progress=progress)
            # Whoever else was at it has found all of it done, or does now.
            if not StockImport.objects.filter(pk=kept.pk, state=State.APPLYING).update(
                state=State.APPLIED, applied_at=Now(), actor=actor
            ):
                raise AlreadyDone
    except Refused as refused:
        _keep_errors(kept, {rows[place].pk: str(e) for place, e in refused.errors.items()})


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
    # First, as it locks the import: another worker may have applied it since, and then it stays.
    if not StockImport.objects.filter(pk=kept.pk, state=State.APPLYING).update(
        state=State.CHECKED,
        error_count=len(errors),
        trouble="Stock has changed since it was checked; nothing was changed.",
    ):
        return
    rows = list(kept.stockimportrow_set.filter(pk__in=errors).select_related("inventory"))
    for row in rows:
        assert row.inventory is not None
        row.error = errors[row.pk]
        row.before = row.inventory.total_units
    StockImportRow.objects.bulk_update(rows, ["error", "before"], batch_size=200)

"""Layer 1 of expiry: the sweep, which Celery beat, a command and tests call alike."""

from django.db import connection, transaction
from django.utils import timezone

from inventory import locks
from reservations import sql
from reservations.models import Reservation, Sweep

# Enough to be fast, few enough that a shopper waits milliseconds for the rows of one batch.
BATCH = 500


def expire_due(*, batch: int = BATCH) -> Sweep:
    """Expires what is past its time, a batch per transaction, and records the run.

    Any number may run at once: each passes over the rows that others hold, and comes back to them
    the next time.
    """
    run = Sweep(started_at=timezone.now(), expired=0)
    passed_over: set[int] = set()
    while wanted := _rows_with_due(passed_over, batch):
        with transaction.atomic():
            had = set(locks.locking(wanted, skip_locked=True).values_list("pk", flat=True))
            expired, lateness = _expire(had, batch)
        passed_over |= wanted - had
        run.expired += expired
        run.max_lateness_seconds = max(run.max_lateness_seconds, lateness)
    run.finished_at = timezone.now()
    run.save(force_insert=True)
    return run


def _rows_with_due(passed_over: set[int], batch: int) -> set[int]:
    """The inventory rows of the oldest due reservations; read without a lock, so only a hint."""
    due = Reservation.objects.due().exclude(inventory__in=passed_over).order_by("expires_at")
    return set(due.values_list("inventory", flat=True)[:batch])


def _expire(rows: set[int], batch: int) -> tuple[int, float]:
    """How many were expired, and the lateness of the oldest in seconds. Their rows are locked, so
    nobody else changes these reservations; they are locked by the UPDATE itself, in any order."""
    with connection.cursor() as cursor:
        cursor.execute(sql.EXPIRE_DUE, [list(rows), batch])
        expired, lateness = cursor.fetchone()
    return expired, lateness

"""Layer 1 of expiry: the sweep, which Celery beat, a command and tests call alike."""

from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from inventory import locks
from reservations import sql
from reservations.models import Reservation, Sweep
from reservations.news import tell_expired

# Enough to be fast, few enough that a shopper waits milliseconds for the rows of one batch.
BATCH = 1000
# The others' pages see by their own clocks that the time is over.
TOLD = 100
# Looked up at once: the index begins with what this very run has expired, so looking is not free.
LOOK_AHEAD = 10 * BATCH

Due = list[tuple[UUID, int]]


def expire_due(*, batch: int = BATCH) -> Sweep:
    """Expires what is past its time, a batch per transaction, and records the run.

    Any number may run at once: each passes over the rows that others hold, and comes back to them
    the next time.
    """
    run = Sweep(started_at=timezone.now(), expired=0)
    passed_over: set[int] = set()
    while due := _due(passed_over):
        for start in range(0, len(due), batch):
            passed_over |= _expire(due[start : start + batch], run)
    run.finished_at = timezone.now()
    run.save(force_insert=True)
    return run


def _due(passed_over: set[int]) -> Due:
    """Reservations and their rows, oldest first; read without a lock, so only a hint."""
    due = Reservation.objects.due().exclude(inventory__in=passed_over).order_by("expires_at")
    return list(due.values_list("pk", "inventory")[:LOOK_AHEAD])


def _expire(due: Due, run: Sweep) -> set[int]:
    """Expires one batch and counts it; returns the rows that somebody else holds.

    Under the locks of their rows nobody else changes these reservations, so the UPDATE may lock
    them in any order.
    """
    wanted = {row for _, row in due}
    with transaction.atomic(), connection.cursor() as cursor:
        had = set(locks.locking(wanted, skip_locked=True).values_list("pk", flat=True))
        cursor.execute(sql.EXPIRE_DUE, [[pk for pk, row in due if row in had], TOLD, TOLD])
        expired, lateness, products, *told = cursor.fetchone()
    told_of = list(zip(*told, strict=True))
    transaction.on_commit(lambda: tell_expired(products, told_of), robust=True)
    run.expired += expired
    run.max_lateness_seconds = max(run.max_lateness_seconds, lateness)
    return wanted - had

"""Layer 1 of expiry: the sweep, which Celery beat, a command and tests call alike."""

from uuid import UUID

from django.db import Error, connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from allo.postgresql.faults import is_locked
from inventory import locks
from reservations.engine import sql
from reservations.engine.news import tell_expired
from reservations.models import Reservation, Sweep

# Enough to be fast, few enough that a shopper waits milliseconds for the rows of one batch.
BATCH = 1000
# The others' pages see by their own clocks that the time is over.
TOLD = 100
# Looked up at once: the index begins with what this very run has expired, so looking is not free.
LOOK_AHEAD = 10 * BATCH

Due = QuerySet[Reservation, tuple[UUID, int]]


def expire_due(*, batch: int = BATCH) -> Sweep:
    """Expires what is past its time, a batch per transaction, and records the run.

    Any number may run at once: each passes over the rows that others hold, waits a moment for each
    of these at its end, and leaves those it cannot have to the next.
    """
    run = Sweep(started_at=timezone.now(), expired=0)
    passed_over: set[int] = set()
    while due := _due().exclude(inventory__in=passed_over)[:LOOK_AHEAD]:
        for start in range(0, len(due), batch):
            passed_over |= _expire(due[start : start + batch], run)
    for row in passed_over:
        _expire_in_turn(row, batch, run)
    run.finished_at = timezone.now()
    run.save(force_insert=True)
    return run


def _due() -> Due:
    """Reservations and their rows, oldest first; read without a lock, so only a hint."""
    return Reservation.objects.due().order_by("expires_at").values_list("pk", "inventory")


def _expire_in_turn(row: int, batch: int, run: Sweep) -> None:
    """A row that is sold from all the time is never found free; who queues for it has it soon."""
    try:
        while due := _due().filter(inventory=row)[:batch]:
            _expire(due, run, wait=True)
    except Error as error:
        if not is_locked(error):
            raise


def _expire(due: Due, run: Sweep, *, wait: bool = False) -> set[int]:
    """Expires one batch and counts it; returns the rows that somebody else holds.

    Under the locks of their rows nobody else changes these reservations, so the UPDATE may lock
    them in any order.
    """
    wanted = {row for _, row in due}
    with transaction.atomic(), connection.cursor() as cursor:
        if wait:
            cursor.execute(sql.PATIENCE, [f"{sql.BRIEFLY_MS}"])
        had = set(locks.locking(wanted, skip_locked=not wait).values_list("pk", flat=True))
        cursor.execute(sql.EXPIRE_DUE, [[pk for pk, row in due if row in had], TOLD, TOLD])
        expired, lateness, products, *told = cursor.fetchone()
    told_of = list(zip(*told, strict=True))
    transaction.on_commit(lambda: tell_expired(products, told_of), robust=True)
    run.expired += expired
    run.max_lateness_seconds = max(run.max_lateness_seconds, lateness)
    return wanted - had

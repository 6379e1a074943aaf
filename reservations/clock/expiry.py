"""Layer 1 of expiry: the sweep, which Celery beat, a command and tests call alike."""

from datetime import datetime
from uuid import UUID

from django.db import Error, connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from allo.live.events import Event, tell
from allo.postgresql.faults import is_locked
from inventory.events import StockChanged
from inventory.locks import locking
from reservations.engine import locks, sql
from reservations.engine.events import Happened, ReservationEvent
from reservations.models import Reservation, Sweep

# Enough to be fast, few enough that a shopper waits milliseconds for the rows of one batch.
BATCH = 1000
# Of so many reservations the pages are told; the others see by their own clocks that time is over.
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
            cursor.execute(locks.PATIENCE, [f"{locks.BRIEFLY_MS}"])
        locked = set(locking(wanted, skip_locked=not wait).values_list("pk", flat=True))
        cursor.execute(sql.EXPIRE_DUE, [[pk for pk, row in due if row in locked], TOLD, TOLD])
        expired, lateness, *changed = cursor.fetchone()
    events = _events(*changed)
    transaction.on_commit(lambda: tell(events), robust=True)
    run.expired += expired
    run.max_lateness_seconds = max(run.max_lateness_seconds, lateness)
    return wanted - locked


def _events(
    at: datetime, stocks: list[dict[str, int]] | None, ids: list[UUID], holders: list[str]
) -> list[Event]:
    """The same events as the engine's, of what the statement has changed."""
    ended = zip(ids, holders, strict=True)
    return [
        *(
            StockChanged(s["id"], s["product_id"], s["total_units"], s["reserved_units"], at)
            for s in stocks or ()
        ),
        *(ReservationEvent(Happened.EXPIRED, pk, holder) for pk, holder in ended),
    ]

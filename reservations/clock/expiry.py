"""The sweep, which expires overdue reservations. Celery beat, a command and tests call it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import Error, connection, transaction
from django.db.models import QuerySet, TextField
from django.db.models.functions import Cast
from django.utils import timezone

from allo.live.events import Event
from allo.metrics import counters
from allo.outbox.hooks.writing import WANTED, is_wanted
from allo.postgresql import trips
from allo.postgresql.faults import is_locked
from allo.postgresql.trips import Statement
from inventory.events import StockChanged, publish
from inventory.locks import locking
from reservations.engine import locks, sql
from reservations.engine.events import Happened, ReservationEvent
from reservations.engine.telling import KINDS, Telling
from reservations.models import Reservation, Sweep
from reservations.waiting import endings
from reservations.waiting import services as waiting

# Large enough to be fast, small enough that a shopper waits only milliseconds for a batch's rows.
BATCH = 1000
# At most so many events per batch; other open pages notice the end by their own countdown.
MOST_PUBLISHED = 100
# With webhooks for ended reservations more is written while the rows are locked.
BATCH_WHEN_HEARD = 100
# Ids per lookup. Each lookup first skips the index entries that this run has expired, so few large
# lookups are cheaper.
LOOK_AHEAD = 10 * BATCH

# The commit of a batch does not wait for the disk, so its rows are free sooner. A crash of the
# server may undo the last batches, but none that a later commit was built on. What is undone is
# still due, and the next sweep expires it.
COMMIT_SOON = "SET LOCAL synchronous_commit = off"
COMMIT_ON_DISK = "SET LOCAL synchronous_commit TO DEFAULT"
EXPIRE_DUE = sql.EXPIRE_DUE.format(wanted=WANTED)
EXPIRED = KINDS[Happened.EXPIRED]

# Ids as text, as they are only passed on.
Due = QuerySet[Reservation, tuple[str, int]]


def expire_due(*, batch: int = BATCH) -> Sweep:
    """Expires what is past its time, one batch per transaction, and records the run. Then serves
    the waiting lists, in case a process died before it did, and writes to those whose offers have
    ended.

    Any number of runs may overlap: each skips rows that others have locked, waits briefly for each
    of these at its end, and leaves those that it cannot lock to the next run.
    """
    run = Sweep(started_at=timezone.now(), expired=0)
    batch = min(batch, BATCH_WHEN_HEARD) if is_wanted(EXPIRED) else batch
    passed_over: set[int] = set()
    while due := _due().exclude(inventory__in=passed_over)[:LOOK_AHEAD]:
        for start in range(0, len(due), batch):
            passed_over |= _expire(due[start : start + batch], run)
    for row in passed_over:
        _expire_in_turn(row, batch, run)
    run.finished_at = timezone.now()
    run.save(force_insert=True)
    waiting.serve_all()
    endings.follow_up()
    return run


def _due() -> Due:
    """Due reservations and their rows, the oldest first. Read without a lock, so it is only a
    hint."""
    due = Reservation.objects.due().order_by("expires_at")
    return due.values_list(Cast("pk", TextField()), "inventory")


def _expire_in_turn(row: int, batch: int, run: Sweep) -> None:
    """Waits for the row: a popular one is hardly ever found unlocked, but waiting for it takes
    only moments."""
    try:
        while due := _due().filter(inventory=row)[:batch]:
            _expire(due, run, wait=True)
    except Error as error:
        if not is_locked(error):
            raise


def _expire(due: Due, run: Sweep, *, wait: bool = False) -> set[int]:
    """Expires one batch and counts it; returns the rows that others have locked.

    While the inventory rows are locked no other transaction changes these reservations, so the
    UPDATE may lock them in any order.
    """
    wanted = {row for _, row in due}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(COMMIT_SOON)
        if wait:
            cursor.execute(locks.PATIENCE, [f"{locks.BRIEFLY_MS}"])
        locked = set(locking(wanted, skip_locked=not wait).values_list("pk", flat=True))
        ids = [pk for pk, row in due if row in locked]
        ((row,),) = trips.run([Statement(EXPIRE_DUE, [ids, MOST_PUBLISHED])])
        expired, lateness, at, stocks, ended, holders, heard = row
        if ended and EXPIRED in heard:
            _tell(ended, at)
    events = _events(at, stocks, ended, holders)
    transaction.on_commit(lambda: publish(events), robust=True)
    counters.RESERVATIONS.labels(Happened.EXPIRED.value).inc(expired)
    run.expired += expired
    run.max_lateness_seconds = max(run.max_lateness_seconds, lateness)
    return wanted - locked


def _tell(ids: list[UUID], at: datetime) -> None:
    """Tells webhooks, as the engine does. They may hear of it as soon as it is committed, so this
    commit waits for the disk."""
    with connection.cursor() as cursor:
        cursor.execute(COMMIT_ON_DISK)
    telling = Telling([EXPIRED])
    for reservation in Reservation.objects.filter(pk__in=ids).order_by("expires_at", "pk"):
        telling.tell(EXPIRED, reservation, at)
    trips.run(list(telling.statements()))


def _events(
    at: datetime, stocks: list[dict[str, Any]] | None, ids: list[UUID], holders: list[str]
) -> list[Event]:
    """The events of what the statement changed, like those of the engine."""
    ended = zip(ids[:MOST_PUBLISHED], holders, strict=True)
    return [
        *(StockChanged(at=at, **stock) for stock in stocks or ()),
        *(ReservationEvent(Happened.EXPIRED, pk, holder, at) for pk, holder in ended),
    ]

"""Fans out what was told: makes events of it, and a delivery to each webhook that wants one."""

import json
import logging
import time
from collections.abc import Iterator, Sequence
from itertools import chain, groupby

from django.db import DataError, Error, IntegrityError, connection, transaction

from allo.outbox.hooks import catalogue
from allo.outbox.hooks.catalogue import UNREAD, Whole
from allo.outbox.models import Event, Told

logger = logging.getLogger(__name__)

# How long a run goes on, in seconds, before what was fanned out is delivered.
TURN = 2.0
# A transaction has at most so many rows, and so many events besides those of its last row: it has
# to end long before its time limit, or it would never succeed.
ROWS, EVENTS = 100, 500

# What the database says of a value, and not of itself.
OF_A_VALUE = (DataError, IntegrityError)

# One transaction fans out at a time. Of two, the second could take a later event of a subject,
# commit first, and have it delivered before the earlier one. A pair of numbers never equals the
# single number of another advisory lock. It is taken before all others.
_ALONE = "SELECT pg_try_advisory_xact_lock(8034, 0)"
_WAIT = "SELECT pg_advisory_xact_lock(8034, 0)"
# Numbered in the order in which they were told. A delivery waits since its event.
_WRITE = """
    WITH event AS (
        INSERT INTO outbox_event (kind, subject, at, data)
        SELECT kind, subject, at, data
        FROM jsonb_to_recordset(%s::jsonb)
            AS told(n int, kind text, subject text, at timestamptz, data jsonb)
        WHERE EXISTS (
            SELECT FROM outbox_webhook AS hook
            WHERE hook.ended_at IS NULL AND told.kind = ANY(hook.kinds)
        )
        ORDER BY told.n
        RETURNING id, kind, subject, at
    )
    INSERT INTO outbox_delivery (event_id, webhook_id, subject, created_at)
    SELECT event.id, hook.id, event.subject, event.at
    FROM event JOIN outbox_webhook AS hook
        ON hook.ended_at IS NULL AND event.kind = ANY(hook.kinds)
    ORDER BY event.id, hook.id
"""


def fan_out() -> int:
    """The oldest first, until nothing is left or its turn is over; returns how many rows, 0 while
    another worker does it.

    An earlier row may be committed later than this one: it is about other subjects, as both were
    numbered under the locks of theirs.
    """
    ends, done = time.monotonic() + TURN, 0
    while time.monotonic() < ends and Told.objects.exists() and (some := _fan_out_some()):
        done += some
    return done


@transaction.atomic
def _fan_out_some() -> int:
    """Deleted and written in one transaction: whenever the worker dies, it is there once."""
    with connection.cursor() as cursor:
        if not cursor.execute(_ALONE).fetchone()[0]:
            return 0
    told = _oldest()
    _fan_out(told)
    Told.objects.filter(pk__in=[each.pk for each in told]).delete()
    return len(told)


def _fan_out(told: Sequence[Told]) -> None:
    """What cannot be read is set aside, so that all else goes on."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            events = [{"n": n, **event._asdict()} for n, event in enumerate(_events(told))]
            cursor.execute(_WRITE, [json.dumps(events)])
    except Exception as error:
        # Whatever else the database says may be its own trouble: then all of it is tried again.
        if isinstance(error, Error) and not isinstance(error, OF_A_VALUE):
            raise
        if len(told) == 1:
            _set_aside(told[0], error)
            return
        for each in told:
            _fan_out([each])


def _set_aside(told: Told, error: Exception) -> None:
    """As an event of its own, which staff see and can have read again (`services.read_again`)."""
    logger.error("what %r told of events cannot be read", told.told_by, exc_info=error)
    # Of what was told there may be anything in its text, also what the database does not store.
    said = ascii(f"{type(error).__name__}: {error}")[1:500]
    data = {"error": said, "told_by": told.told_by, "events": told.events}
    Event.objects.create(kind=UNREAD, subject=UNREAD, at=told.created_at, data=data)


def wait_for_it() -> None:
    """Waits for the portion that is being fanned out; the next one waits for the caller's
    transaction."""
    with connection.cursor() as cursor:
        cursor.execute(_WAIT)


def _oldest() -> list[Told]:
    taken: list[Told] = []
    events = 0
    for told in Told.objects.order_by("pk")[:ROWS]:
        if events > EVENTS:
            break
        taken.append(told)
        events += told.size
    return taken


def _events(told: Sequence[Told]) -> Iterator[Whole]:
    # Those of several rows together, so that a reader has one look at the database.
    for told_by, some in groupby(told, key=lambda each: each.told_by):
        yield from catalogue.whole(told_by, [*chain.from_iterable(each.parts for each in some)])

"""Tells of events, in the transaction of what happened, if some webhook wants them.

As little as can be is written there: one row for all that a statement tells of. `fanning` makes
events and deliveries of it.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connection, transaction
from django.db.models import QuerySet

from allo.outbox.models import Webhook
from allo.postgresql.trips import Statement

# The kinds of events that some webhook wants, read in the transaction that may tell of one. Paused
# webhooks count, as they get their events once they are resumed.
WANTED = """
    ARRAY(SELECT DISTINCT unnest(kinds) FROM outbox_webhook WHERE ended_at IS NULL)
"""

# What is told is numbered under the locks of its subjects, so what is told of a subject has the
# order of the commits.
_WRITE = """
    INSERT INTO outbox_told (told_by, events)
    SELECT '', jsonb_agg(jsonb_build_array(kind, subject, at, data) ORDER BY n)::text
    FROM ({rows}) AS told
    WHERE EXISTS (
        SELECT FROM outbox_webhook AS hook
        WHERE hook.ended_at IS NULL AND told.kind = ANY(hook.kinds)
    )
    HAVING count(*) > 0
"""
_TELL = "INSERT INTO outbox_told (told_by, events) VALUES (%s, %s)"
_encode = json.JSONEncoder(separators=(",", ":")).encode


def statement(rows: str) -> str:
    """SQL that tells of the events that the query `rows` makes: `n` (their order), `kind`,
    `subject`, `at`, and `data`, which is JSON that tells nothing of people."""
    return _WRITE.format(rows=rows)


def write(rows: str, values: Sequence[Any] | Mapping[str, Any]) -> None:
    """`statement`, in the caller's transaction."""
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("An event needs the transaction it is of.")
    with connection.cursor() as cursor:
        cursor.execute(statement(rows), values)


def rough(told_by: str, events: Sequence[Sequence[Any]]) -> Statement:
    """Tells of wanted events as the reader of `told_by` understands them: for those who have no
    time to make whole ones."""
    return Statement(_TELL, [told_by, _encode(events)])


def wanting(kind: str) -> QuerySet[Webhook]:
    return Webhook.objects.kept().filter(kinds__contains=[kind])


def is_wanted(kind: str) -> bool:
    return wanting(kind).exists()

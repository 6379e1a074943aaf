"""Writes events, in the transaction of what happened, for the webhooks that want them."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connection, transaction

from allo.outbox.models import Webhook

# The kinds of events that some webhook wants, read in the transaction that may write one. Paused
# webhooks count, as they get their events once they are resumed.
WANTED = """
    ARRAY(SELECT DISTINCT unnest(kinds) FROM outbox_webhook WHERE ended_at IS NULL)
"""

# An event is numbered under the locks of its subject, so a subject's events have the order of their
# commits.
_WRITE = """
    WITH told AS ({rows}), event AS (
        INSERT INTO outbox_event (kind, subject, at, data)
        SELECT kind, subject, at, data FROM told WHERE EXISTS (
            SELECT FROM outbox_webhook AS hook
            WHERE hook.ended_at IS NULL AND told.kind = ANY(hook.kinds)
        )
        ORDER BY told.n
        RETURNING id, kind, subject
    )
    INSERT INTO outbox_delivery (event_id, webhook_id, subject)
    SELECT event.id, hook.id, event.subject
    FROM event JOIN outbox_webhook AS hook
        ON hook.ended_at IS NULL AND event.kind = ANY(hook.kinds)
    ORDER BY event.id, hook.id
"""


def statement(rows: str) -> str:
    """SQL that writes the events that the query `rows` makes: `n` (their order), `kind`, `subject`,
    `at`, and `data`, which is JSON that tells nothing of people."""
    return _WRITE.format(rows=rows)


def write(rows: str, values: Sequence[Any] | Mapping[str, Any]) -> None:
    """`statement`, in the caller's transaction."""
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("An event needs the transaction it is of.")
    with connection.cursor() as cursor:
        cursor.execute(statement(rows), values)


def is_wanted(kind: str) -> bool:
    return Webhook.objects.kept().filter(kinds__contains=[kind]).exists()

"""Writes messages into the outbox."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db import connection, transaction
from django.db.models.functions import Now

from allo.outbox import kinds, tasks
from allo.outbox.addresses import checked
from allo.outbox.models import Message
from allo.web.worker import ask

ANEW = 1000


def put(*, key: str, kind: str, to: str, context: Mapping[str, Any]) -> None:
    """Writes a message in the caller's transaction, once for a key. Raises as `message` does."""
    put_all([message(key=key, kind=kind, to=to, context=context)])


def message(*, key: str, kind: str, to: str, context: Mapping[str, Any]) -> Message:
    """For `put_all`. `context` is JSON, and holds no code and no signed link: the kind's `facts`
    make those. Raises `BadAddress`, `UnknownKind`."""
    kinds.facts_of(kind)
    return Message(key=key, kind=kind, to=checked(to), context=dict(context))


def put_all(messages: Iterable[Message]) -> None:
    """`put`, of any number, in one statement."""
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("A message needs the event's transaction.")
    if Message.objects.bulk_create(messages, ignore_conflicts=True):
        transaction.on_commit(wake)


@transaction.atomic
def retry_given_up() -> list[Message]:
    """Tries those again that were given up, at most `ANEW`; returns them."""
    # Locked, so that of two people at once one is told of each message.
    rows = Message.objects.given_up().order_by("created_at").select_for_update(skip_locked=True)
    anew = list(rows[:ANEW])
    Message.objects.filter(pk__in=[message.pk for message in anew]).update(
        tries=0, next_try_at=Now(), claimed_at=None
    )
    transaction.on_commit(wake)
    return anew


def wake() -> None:
    """Has the worker send what is due. If it cannot be reached, the clock finds the message."""
    ask(tasks.send_due)

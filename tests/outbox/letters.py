"""Messages as tests write them, and time that passes for them."""

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from allo.outbox import services as outbox
from allo.outbox.models import Message

CONTEXT = {
    "count": 1,
    "rows": [{"name": "Tidal in blr-01", "left": 2, "held": 0, "low_from": 2}],
    "more": 0,
}


def put(key: str = "k", **more: Any) -> Message:
    given = {"kind": "low_stock", "to": "asha@example.org", "context": CONTEXT, **more}
    with transaction.atomic():
        outbox.put(key=key, **given)
    return Message.objects.get(key=key)


def written(key: str, **ago: float) -> Message:
    """One that was written then; a trigger keeps that time."""
    then = timezone.now() - timedelta(**ago)
    return Message.objects.create(
        key=key, kind="low_stock", to="asha@example.org", context={}, created_at=then
    )


def pass_time(**passed: float) -> None:
    """The database's clock stays; the times of messages that are not sent move."""
    ago = timedelta(**passed)
    Message.objects.filter(sent_at=None).update(
        claimed_at=F("claimed_at") - ago, next_try_at=F("next_try_at") - ago
    )

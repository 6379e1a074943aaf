"""Tells staff of a webhook that was paused."""

from django.conf import settings

from allo.outbox import services as outbox
from allo.outbox.models import Webhook


def paused(webhook: Webhook, why: str) -> None:
    """In the transaction that pauses it."""
    webhook.refresh_from_db(fields=["paused_at"])
    assert webhook.paused_at
    key = f"webhook_paused:{webhook.pk}:{webhook.paused_at.isoformat()}"
    waiting = webhook.deliveries.filter(delivered_at=None, given_up_at=None)[:1001].count()
    context = {
        "name": webhook.name,
        "why": why,
        "waiting": waiting,
        "days": settings.KEEP_EVENTS_DAYS,
    }
    for to in settings.STAFF_EMAILS:
        outbox.put(key=f"{key}:{to}"[:200], kind="webhook_paused", to=to, context=context)

from allo.outbox.models.message import (
    LATE,
    TRIES,
    Message,
    MessageQuerySet,
    pause_after,
)
from allo.outbox.models.told import Told
from allo.outbox.models.webhook import Delivery, DeliveryQuerySet, Event, Webhook, WebhookQuerySet

__all__ = (
    "LATE",
    "TRIES",
    "Delivery",
    "DeliveryQuerySet",
    "Event",
    "Message",
    "MessageQuerySet",
    "Told",
    "Webhook",
    "WebhookQuerySet",
    "pause_after",
)

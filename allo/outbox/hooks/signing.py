"""Signs what is posted, as Standard Webhooks says."""

import base64
import secrets
from datetime import datetime
from uuid import UUID

import standardwebhooks
from django.utils import timezone

from allo.outbox.models import Webhook
from allo.outbox.models.webhook import OVERLAP

PREFIX = "whsec_"


def new_secret() -> str:
    return f"{PREFIX}{base64.b64encode(secrets.token_bytes(32)).decode()}"


def headers(webhook: Webhook, event: UUID, body: str) -> dict[str, str]:
    """`webhook-id` is the event's: the same however often it comes. For a day after a change the
    secret before signs too, so that a receiver can change at any time."""
    now = timezone.now()
    own = f"evt_{event}"
    signatures = [
        standardwebhooks.Webhook(secret).sign(own, now, body) for secret in _secrets(webhook)
    ]
    return {
        "Content-Type": "application/json",
        "User-Agent": "Allo-Webhooks/1",
        "webhook-id": own,
        "webhook-timestamp": f"{int(now.timestamp())}",
        "webhook-signature": " ".join(signatures),
    }


def overlaps_until(webhook: Webhook) -> datetime | None:
    """Until when the secret before is used, if it is."""
    until: datetime | None = webhook.rotated_at and webhook.rotated_at + OVERLAP
    return until if until and until > timezone.now() else None


def _secrets(webhook: Webhook) -> list[str]:
    return [webhook.secret, *([webhook.secret_before] if overlaps_until(webhook) else [])]

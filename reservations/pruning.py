"""What may be forgotten: answers nobody will ask for again, and old records of the clock."""

from datetime import timedelta

from django.db.models import QuerySet
from django.utils import timezone

from reservations.models import IdempotencyKey, Sweep

KEYS_LIVE = timedelta(hours=24)
SWEEPS_LIVE = timedelta(days=7)
BATCH = 5000


def prune() -> int:
    """How many rows were deleted, a short transaction for each batch."""
    now = timezone.now()
    return _delete(IdempotencyKey.objects.filter(created_at__lt=now - KEYS_LIVE)) + _delete(
        Sweep.objects.filter(finished_at__lt=now - SWEEPS_LIVE)
    )


def _delete(rows: QuerySet[IdempotencyKey] | QuerySet[Sweep]) -> int:
    deleted = 0
    while batch := list(rows.order_by().values_list("pk", flat=True)[:BATCH]):
        deleted += rows.model._default_manager.filter(pk__in=batch).delete()[0]
    return deleted

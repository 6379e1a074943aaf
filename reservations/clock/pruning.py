"""Deletes idempotency keys that are past their retry window, and old records of the clock."""

from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from allo.pruning import delete_in_portions
from reservations.models import AuditRun, IdempotencyKey, Sweep


def keys_live() -> timedelta:
    return timedelta(hours=settings.KEEP_KEYS_HOURS)


def prune() -> None:
    now = timezone.now()
    sweeps, audits = (
        now - timedelta(days=days)
        for days in (settings.KEEP_SWEEPS_DAYS, settings.KEEP_AUDITS_DAYS)
    )
    delete_in_portions(IdempotencyKey.objects.filter(created_at__lt=now - keys_live()))
    delete_in_portions(Sweep.objects.filter(finished_at__lt=sweeps))
    delete_in_portions(AuditRun.objects.filter(finished_at__lt=audits))

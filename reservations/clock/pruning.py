"""Deletes idempotency keys that are too old for a retry, old records of the clock, and entries of
waiting lists that were never confirmed or have ended."""

from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from allo.pruning import delete_in_portions
from reservations.models import AuditRun, IdempotencyKey, Sweep, WaitingEntry
from reservations.waiting import services as waiting


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
    _prune_entries(now)


def _prune_entries(now: datetime) -> None:
    """The offer of an entry is a reservation: that stays, and is forgotten like others."""
    unconfirmed = now - timedelta(hours=settings.KEEP_UNCONFIRMED_HOURS)
    ended = now - timedelta(days=settings.KEEP_WAITING_DAYS)
    entries = WaitingEntry.objects.all()
    waiting.forget(entries.filter(confirmed_at=None, created_at__lt=unconfirmed))
    waiting.forget(entries.filter(ended_at__lt=ended))
    waiting.forget(entries.filter(offer__ended_at__lt=ended))

"""Deletes old messages and their files, and old events with their deliveries."""

from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from allo.outbox.models import Delivery, Event, Message, Told
from allo.pruning import delete_in_portions


def prune() -> None:
    """Messages that still wait are kept, however old."""
    ago = timezone.now() - timedelta(days=settings.KEEP_MESSAGES_DAYS)
    old = Message.objects.filter(created_at__lt=ago)
    delete_in_portions(old.sent())
    delete_in_portions(old.given_up())
    if settings.MAIL_FOLDER:
        for file in settings.MAIL_FOLDER.glob("*.eml"):
            if file.stat().st_mtime < ago.timestamp():
                file.unlink(missing_ok=True)
    _prune_events()


def _prune_events() -> None:
    """Delivered or not: a webhook may be paused for ever."""
    ago = timezone.now() - timedelta(days=settings.KEEP_EVENTS_DAYS)
    old = Event.objects.filter(at__lt=ago)
    delete_in_portions(Delivery.objects.filter(event__in=old))
    delete_in_portions(old)
    delete_in_portions(Told.objects.filter(created_at__lt=ago))

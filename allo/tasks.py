"""What is forgotten about people (`docs/privacy.md`) in reservations, in orders, and in the tables
of Django and axes. Codes, messages and answers under keys have tasks of their own."""

import logging
from collections.abc import Callable
from datetime import timedelta

from axes.models import AccessAttempt, AccessLog
from celery import shared_task
from django.conf import settings
from django.contrib.sessions.models import Session
from django.utils import timezone

from allo.pruning import delete_in_portions
from checkout import forgetting as of_orders
from reservations.clock import forgetting as of_reservations

logger = logging.getLogger(__name__)


def prune_sessions() -> None:
    now = timezone.now()
    old = now - timedelta(days=settings.KEEP_SIGN_INS_DAYS)
    delete_in_portions(Session.objects.filter(expire_date__lt=now))
    delete_in_portions(AccessAttempt.objects.filter(attempt_time__lt=old))
    delete_in_portions(AccessLog.objects.filter(attempt_time__lt=old))


FORGETS: tuple[Callable[[], object], ...] = (
    prune_sessions,
    of_orders.delete_dropped,
    of_orders.forget_drafts,
    of_orders.forget_buyers,
    of_orders.mark_receipts,
    of_reservations.forget,
)


@shared_task
def prune() -> None:
    """All of these, whatever becomes of the others."""
    for forget in FORGETS:
        try:
            forget()
        except Exception:
            logger.exception("%s", forget.__name__)

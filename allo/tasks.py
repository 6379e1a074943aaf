"""Celery tasks for the tables of Django and axes."""

from datetime import timedelta

from axes.models import AccessAttempt, AccessLog
from celery import shared_task
from django.conf import settings
from django.contrib.sessions.models import Session
from django.utils import timezone

from allo.pruning import delete_in_portions


@shared_task
def prune() -> None:
    now = timezone.now()
    old = now - timedelta(days=settings.KEEP_SIGN_INS_DAYS)
    delete_in_portions(Session.objects.filter(expire_date__lt=now))
    delete_in_portions(AccessAttempt.objects.filter(attempt_time__lt=old))
    delete_in_portions(AccessLog.objects.filter(attempt_time__lt=old))

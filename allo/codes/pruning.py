"""Deletes old codes."""

from datetime import timedelta

from django.utils import timezone

from allo.codes.models import EmailCode
from allo.pruning import delete_in_portions

# Older ones count towards no limit.
KEPT = timedelta(days=1)


def prune() -> None:
    delete_in_portions(EmailCode.objects.filter(asked_at__lt=timezone.now() - KEPT))

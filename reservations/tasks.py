"""The clock's door to the same verbs."""

from celery import shared_task

from reservations import expiry


@shared_task
def expire_due() -> None:
    expiry.expire_due()

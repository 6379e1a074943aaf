"""Celery tasks; each calls one function."""

from celery import shared_task

from allo.outbox import pruning, sending
from allo.outbox.hooks import delivering


@shared_task
def send_due() -> None:
    sending.send_due()


@shared_task
def deliver_events() -> None:
    delivering.deliver_due()


@shared_task
def prune() -> None:
    pruning.prune()

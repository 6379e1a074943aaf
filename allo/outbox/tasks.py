"""Celery tasks; each calls one function."""

from celery import shared_task

from allo.outbox import pruning, sending


@shared_task
def send_due() -> None:
    sending.send_due()


@shared_task
def prune() -> None:
    pruning.prune()

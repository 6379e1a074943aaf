"""Celery tasks; each calls one function."""

from celery import shared_task

from reservations import room_keeping
from reservations.clock import audit, days, expiry, pruning


@shared_task
def expire_due() -> None:
    expiry.expire_due()


@shared_task
def keep_rooms() -> None:
    room_keeping.keep_due()


@shared_task
def count_days() -> None:
    days.count_days()


@shared_task
def prune() -> None:
    pruning.prune()


@shared_task
def audit_stock(whole: bool = False) -> None:
    audit.run_audit(whole=whole)

"""Celery tasks; each calls one function."""

from uuid import UUID

from celery import shared_task

from allo.web.worker import ask
from checkout import audit, clock


@shared_task
def settle_due() -> None:
    clock.settle_due()


@shared_task
def settle_one(payment_id: str) -> None:
    clock.settle_one(UUID(payment_id))


@shared_task
def audit_money(whole: bool = False) -> None:
    audit.run_audit(whole=whole)


def ask_to_settle(payment_id: UUID) -> None:
    """If the worker cannot be reached, the clock looks within seconds."""
    ask(settle_one, str(payment_id))

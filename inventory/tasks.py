"""Celery tasks; each calls one function."""

from uuid import UUID

from celery import shared_task
from django.contrib.auth.models import User

from inventory import low_stock
from inventory.models import StockImport
from inventory.staff import importing, uploads


@shared_task
def watch_low_stock() -> None:
    low_stock.watch()


@shared_task
def prune_imports() -> None:
    uploads.prune()


@shared_task
def read_imports() -> None:
    uploads.read_waiting()


@shared_task
def apply_import(import_id: UUID, actor_id: int) -> None:
    kept, actor = StockImport.objects.get(pk=import_id), User.objects.get(pk=actor_id)
    with importing.reported(kept) as progress:
        importing.apply(kept=kept, actor=actor, progress=progress)

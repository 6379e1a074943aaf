"""Inventory rows are locked by primary key, before everything else: rank 1 of the lock order that
`reservations.engine.locks` lists.

Uploads of files take one lock of their own, and none of the others.
"""

from collections.abc import Iterable

from django.db import connection
from django.db.models import QuerySet

from inventory.models import Inventory


def locking(ids: Iterable[int], *, skip_locked: bool = False) -> QuerySet[Inventory]:
    """The rows to lock. They are locked when this is evaluated, inside a transaction.

    FOR NO KEY UPDATE: the foreign-key check of every new reservation takes FOR KEY SHARE on this
    row, and would queue behind a plain FOR UPDATE.
    """
    return (
        Inventory.objects.filter(pk__in=ids)
        .order_by("pk")
        .select_for_update(no_key=True, skip_locked=skip_locked)
    )


# A pair of numbers never equals the single number of another advisory lock.
UPLOADS = "SELECT pg_advisory_xact_lock(1, 0)"


def uploading() -> None:
    """Until the end of the transaction no other one counts or adds uploaded files."""
    with connection.cursor() as cursor:
        cursor.execute(UPLOADS)

"""The lock order, everywhere and without exception:

1. inventory rows, by primary key (this module);
2. advisory locks of holders, networks and keys, by number (`reservations.engine.locks`);
3. reservations, by primary key (`reservations.engine.locks`);
4. contacts, each after its reservation (`checkout.contacts`).

A transaction that changes a reservation locks its inventory row first, so two transactions meet at
the inventory row and nowhere later, and none waits for a lock while it holds one of a higher rank.

Uploads of files take one lock of their own, and none of these.
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

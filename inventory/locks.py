"""The lock order, everywhere and without exception:

1. inventory rows, by primary key (this module);
2. advisory locks of holders and addresses, by number (`reservations.engine.books`);
3. reservations, by primary key (`reservations.engine.books`);
4. contacts, each after its reservation (`checkout.contacts`).

Whoever changes a reservation holds its inventory row's lock first, so two transactions meet at the
inventory row and nowhere later; nobody waits for a lock while holding one of a higher rank.
"""

from collections.abc import Iterable

from django.db.models import QuerySet

from inventory.models import Inventory


def locking(ids: Iterable[int], *, skip_locked: bool = False) -> QuerySet[Inventory]:
    """The rows to lock; nothing is locked until this is evaluated, inside a transaction.

    FOR NO KEY UPDATE: the foreign-key check of every new reservation takes FOR KEY SHARE on this
    row, and would queue behind a plain FOR UPDATE.
    """
    return (
        Inventory.objects.filter(pk__in=ids)
        .order_by("pk")
        .select_for_update(no_key=True, skip_locked=skip_locked)
    )

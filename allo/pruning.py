"""Deleting what is too old, many rows at a time but never all of them."""

from typing import Any

from django.db.models import QuerySet

# A transaction of so many takes milliseconds: nobody waits for it, and no limit ends it.
PORTION = 1000


def delete_in_portions(rows: QuerySet[Any]) -> int:
    """How many were deleted. Of rows with many others that go with them, delete those first."""
    deleted = 0
    while keys := list(rows.order_by().values_list("pk", flat=True)[:PORTION]):
        deleted += rows.model._default_manager.filter(pk__in=keys).delete()[0]
    return deleted

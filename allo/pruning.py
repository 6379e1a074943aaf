"""Deletes old rows in portions."""

from typing import Any

from django.db.models import QuerySet

# A transaction of this size takes milliseconds, so it blocks nobody and meets no timeout.
PORTION = 1000


def delete_in_portions(rows: QuerySet[Any]) -> int:
    """Returns how many were deleted. If many rows cascade from these, delete those first."""
    deleted = 0
    while keys := list(rows.order_by().values_list("pk", flat=True)[:PORTION]):
        deleted += rows.model._default_manager.filter(pk__in=keys).delete()[0]
    return deleted

from datetime import timedelta
from typing import Self

from django.db import models
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from inventory.models.stock import Inventory


class LowStockQuerySet(QuerySet["LowStock"]):
    def unclaimed(self) -> Self:
        """Rows that no mail has named yet, and that no worker is about to mail."""
        lapsed = Q(claimed_at=None) | Q(claimed_at__lt=Now() - timedelta(minutes=5))
        return self.filter(lapsed, notified_at=None)


class LowStock(models.Model):
    """A row that is low, from when that was noticed until it no longer is. Staff get one mail.

    A table of its own, since every sale rewrites the `Inventory` row."""

    inventory = models.OneToOneField(Inventory, models.CASCADE, primary_key=True)
    since = models.DateTimeField(db_default=Now())
    claim = models.UUIDField(null=True, help_text="Of the worker that tells staff.")
    claimed_at = models.DateTimeField(null=True)
    notified_at = models.DateTimeField(null=True)

    objects = LowStockQuerySet.as_manager()

    class Meta:
        ordering = ("-since",)
        verbose_name_plural = "low stock"

    def __str__(self) -> str:
        return f"{self.inventory} is low"

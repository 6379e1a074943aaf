from django.db import models
from django.db.models.functions import Now

from inventory.models.stock import Inventory


class LowStock(models.Model):
    """A row that is low, from when the clock noticed it until it no longer is; staff get one mail.
    It is a table of its own, since every sale rewrites the `Inventory` row."""

    inventory = models.OneToOneField(Inventory, models.CASCADE, primary_key=True)
    since = models.DateTimeField(db_default=Now())
    notified_at = models.DateTimeField(null=True, help_text="When the mail was written.")

    class Meta:
        ordering = ("-since",)
        verbose_name_plural = "low stock"

    def __str__(self) -> str:
        return f"{self.inventory} is low"

"""What is in stock, where, and why. `total_units` and `reserved_units` change only under the
row's lock: see `inventory.locks`."""

from datetime import datetime
from typing import Self

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import F, Min, Q, QuerySet
from django.db.models.functions import Now

from catalog.models import Product


class Warehouse(models.Model):
    code = models.SlugField(max_length=20, unique=True, help_text="For example blr-01.")
    name = models.CharField(max_length=80, help_text="As shoppers read it, for example Bengaluru.")
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ("position", "code")

    def __str__(self) -> str:
        return self.name


class InventoryQuerySet(QuerySet["Inventory"]):
    def with_available(self) -> Self:
        return self.annotate(available=F("total_units") - F("reserved_units"))

    def with_next_lapse(self) -> Self:
        """Annotates `next_lapse_at`: when the first hold of the row may lapse."""
        pending = Q(reservation__status="pending")
        return self.annotate(next_lapse_at=Min("reservation__expires_at", filter=pending))


class Inventory(models.Model):
    product = models.ForeignKey(Product, models.PROTECT)
    warehouse = models.ForeignKey(Warehouse, models.PROTECT)
    total_units = models.IntegerField(default=0, editable=False)
    reserved_units = models.IntegerField(default=0, editable=False)

    available: int  # annotated by `with_available`
    next_lapse_at: datetime | None  # annotated by `with_next_lapse`

    objects = InventoryQuerySet.as_manager()

    class Meta:
        ordering = ("product", "warehouse__position")
        verbose_name_plural = "inventory"
        constraints = (
            models.UniqueConstraint(
                fields=("product", "warehouse"), name="one_row_per_product_and_warehouse"
            ),
            # I1. Whatever a bug above asks for, the row refuses to promise what is not there.
            models.CheckConstraint(condition=Q(reserved_units__gte=0), name="reserved_gte_zero"),
            models.CheckConstraint(
                condition=Q(reserved_units__lte=F("total_units")), name="reserved_lte_total"
            ),
        )

    def __str__(self) -> str:
        return f"{self.product} in {self.warehouse}"


class StockMovement(models.Model):
    """One line of the ledger (I3): append-only, for superusers and in the database too."""

    class Reason(models.TextChoices):
        OPENING = "opening"
        RECEIVED = "received"
        ADJUSTED = "adjusted"
        TRANSFERRED = "transferred"
        WRITTEN_OFF = "written_off"
        SOLD = "sold"

    inventory = models.ForeignKey(Inventory, models.PROTECT)
    delta = models.IntegerField()
    reason = models.CharField(max_length=12, choices=Reason)
    reference = models.UUIDField(
        null=True, blank=True, help_text="The reservation sold, or what ties two lines together."
    )
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True)
    note = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ("-pk",)
        constraints = (
            models.CheckConstraint(condition=~Q(delta=0), name="movement_moves"),
            models.CheckConstraint(
                condition=Q(
                    reason__in=(
                        "adjusted",
                        "opening",
                        "received",
                        "sold",
                        "transferred",
                        "written_off",
                    )
                ),
                name="movement_reason_known",
            ),
            # I5, as far as one row can say it: a sale takes stock, names its reservation, is one.
            models.CheckConstraint(
                condition=~Q(reason="sold") | Q(delta__lt=0, reference__isnull=False),
                name="sold_takes_stock_for_a_reservation",
            ),
            models.UniqueConstraint(
                fields=("reference",), condition=Q(reason="sold"), name="sold_once"
            ),
        )
        triggers = (
            pgtrigger.Protect(
                name="ledger_is_append_only", operation=pgtrigger.Update | pgtrigger.Delete
            ),
        )

    def __str__(self) -> str:
        return f"{self.delta:+d} {self.get_reason_display()}"

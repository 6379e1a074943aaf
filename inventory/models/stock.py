from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Case, F, Q, QuerySet, Value, When

from catalog.models import Product
from inventory.free import AVAILABLE, FREE
from inventory.models.warehouse import Warehouse
from inventory.shortages import LOW, SHORTAGES


class InventoryQuerySet(QuerySet["Inventory"]):
    def with_available(self) -> Self:
        return self.annotate(available=AVAILABLE)

    def with_free(self) -> Self:
        """Annotates `available`, without what is for the waiting list: as all but staff see it."""
        return self.annotate(available=FREE)

    def with_shortage(self) -> Self:
        """Annotates `shortage`: the gravest that applies to the row, or ""."""
        whens = (When(condition, then=Value(kind)) for kind, condition in SHORTAGES.items())
        return self.annotate(shortage=Case(*whens, default=Value("")))

    def low(self) -> Self:
        """Rows with as many units as their threshold or fewer, none among them."""
        return self.filter(LOW)


class Inventory(models.Model):
    product = models.ForeignKey(Product, models.PROTECT)
    warehouse = models.ForeignKey(Warehouse, models.PROTECT)
    total_units = models.IntegerField(default=0, editable=False)
    reserved_units = models.IntegerField(default=0, editable=False)
    # Of how many units a page shows what is left. Sales and returns do not change it.
    run_units = models.IntegerField(
        "run",
        default=0,
        db_default=0,
        editable=False,
        help_text="All that came in, without what was damaged, lost, moved or written off.",
    )
    low_stock_threshold = models.PositiveIntegerField(
        "low from",
        default=2,
        db_default=2,
        editable=False,
        help_text="Low from this many units down; 0 is never.",
    )

    # For the waiting list, written under the lock of the row (`reservations.waiting`).
    list_needs = models.PositiveIntegerField(
        default=0,
        db_default=0,
        editable=False,
        help_text="The fewest units that somebody on the waiting list takes; 0 is nobody.",
    )

    available: int  # annotated by `with_available` or `with_free`
    shortage: str  # annotated by `with_shortage`
    # annotated in `reservations.availability`
    live_holds: int
    next_lapse_at: datetime | None
    read_at: datetime

    objects = InventoryQuerySet.as_manager()

    class Meta:
        ordering = ("product", "warehouse__position")
        verbose_name_plural = "inventory"
        permissions = (
            ("receive_stock", "Can receive stock"),
            ("adjust_stock", "Can adjust stock"),
            ("transfer_stock", "Can move stock between warehouses"),
            ("write_off_stock", "Can write off stock"),
            ("set_threshold", "Can set low-stock thresholds"),
            ("import_stock", "Can import adjustments"),
        )
        constraints = (
            models.UniqueConstraint(
                fields=("product", "warehouse"), name="one_row_per_product_and_warehouse"
            ),
            # I1. Whatever a bug in the application does, a row cannot promise more than it has.
            models.CheckConstraint(condition=Q(reserved_units__gte=0), name="reserved_gte_zero"),
            models.CheckConstraint(
                condition=Q(reserved_units__lte=F("total_units")), name="reserved_lte_total"
            ),
        )

    def __str__(self) -> str:
        return f"{self.product} in {self.warehouse}"

    @property
    def taken(self) -> int:
        """Held, or for the waiting list. Needs `with_free`."""
        return self.total_units - self.available

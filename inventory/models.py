"""Warehouses, stock and its ledger. `total_units` and `reserved_units` change only under the row's
lock: see `inventory.locks`."""

import uuid
from datetime import datetime, timedelta
from typing import Self

import pgtrigger
from django.conf import settings
from django.contrib.postgres.indexes import BrinIndex, GinIndex
from django.db import models
from django.db.models import (
    BooleanField,
    Case,
    ExpressionWrapper,
    F,
    Q,
    QuerySet,
    Value,
    When,
)
from django.db.models.functions import Now, Upper

from allo.postgresql.indexes import OpClass
from allo.postgresql.triggers import Refuse
from allo.web.names import name_is_visible
from catalog.models import Product


class Warehouse(models.Model):
    code = models.SlugField(max_length=20, unique=True, help_text="For example blr-01.")
    name = models.CharField(
        max_length=80,
        validators=[name_is_visible],
        help_text="As shoppers read it, for example Bengaluru.",
    )
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ("position", "code")

    def __str__(self) -> str:
        return self.name


# Held units count: holds come and go within minutes, what stands on the shelf does not. A threshold
# of 0 is never reached.
LOW = Q(low_stock_threshold__gt=0, total_units__lte=F("low_stock_threshold"))
SOLD_OUT = Q(total_units=0)
FULLY_HELD = Q(total_units__gt=0, reserved_units=F("total_units"))


class Shortage(models.TextChoices):
    """What a row may be short in. One that is sold out may be low as well."""

    LOW = "low", "Low"
    SOLD_OUT = "sold_out", "Sold out"
    FULLY_HELD = "fully_held", "Fully held"


# The gravest first.
SHORTAGES = {Shortage.SOLD_OUT: SOLD_OUT, Shortage.FULLY_HELD: FULLY_HELD, Shortage.LOW: LOW}


class InventoryQuerySet(QuerySet["Inventory"]):
    def with_available(self) -> Self:
        return self.annotate(available=F("total_units") - F("reserved_units"))

    def with_shortage(self) -> Self:
        """Annotates `shortage`: the gravest that a row has, or ""."""
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
    low_stock_threshold = models.PositiveIntegerField(
        "low from",
        default=2,
        db_default=2,
        editable=False,
        help_text="Low from this many units down; 0 is never.",
    )

    available: int  # annotated by `with_available`
    shortage: str  # annotated by `with_shortage`
    # annotated above, where holds are known: see `reservations.availability`
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


class StockMovement(models.Model):
    """One line of the ledger (I3): append-only, for superusers and in the database too."""

    class Reason(models.TextChoices):
        OPENING = "opening"
        RECEIVED = "received"
        COUNTED = "counted"
        DAMAGED = "damaged"
        LOST = "lost"
        RETURNED = "returned"
        ADJUSTED = "adjusted"
        TRANSFERRED = "transferred"
        WRITTEN_OFF = "written_off", "Written off"
        SOLD = "sold"

    # The reasons for which staff adjust stock.
    ADJUSTMENTS = (
        Reason.COUNTED,
        Reason.DAMAGED,
        Reason.LOST,
        Reason.RETURNED,
        Reason.ADJUSTED,
    )

    inventory = models.ForeignKey(Inventory, models.PROTECT, db_index=False)
    delta = models.IntegerField()
    reason = models.CharField(max_length=12, choices=Reason)
    reference = models.UUIDField(
        null=True, blank=True, help_text="The reservation sold, or what ties two lines together."
    )
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, db_index=False
    )
    note = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    balance: int  # the total after this line; see `inventory.staff.ledger`

    class Meta:
        ordering = ("-pk",)
        constraints = (
            models.CheckConstraint(condition=~Q(delta=0), name="movement_moves"),
            models.CheckConstraint(
                condition=Q(
                    reason__in=(
                        "adjusted",
                        "counted",
                        "damaged",
                        "lost",
                        "opening",
                        "received",
                        "returned",
                        "sold",
                        "transferred",
                        "written_off",
                    )
                ),
                name="movement_reason_known",
            ),
            # I5, as far as one row can check it: a sale takes stock and names its reservation.
            models.CheckConstraint(
                condition=~Q(reason="sold") | Q(delta__lt=0, reference__isnull=False),
                name="sold_takes_stock_for_a_reservation",
            ),
            models.UniqueConstraint(
                fields=("reference",), condition=Q(reason="sold"), name="sold_once"
            ),
            # Under one reference, a form's or a file's, staff change a row once.
            models.UniqueConstraint(
                fields=("reference", "inventory"),
                condition=~Q(reason="sold"),
                name="done_once_per_reference_and_row",
            ),
        )
        # Sales write here while shoppers wait, so indexes that only staff need leave out sales, or
        # are cheap to write.
        indexes = (
            models.Index(fields=("inventory", "-id"), name="movement_by_inventory"),
            models.Index(
                fields=("reason", "-id"),
                condition=~Q(reason="sold"),
                name="movement_by_reason",
            ),
            models.Index(
                fields=("actor", "-id"),
                condition=Q(actor__isnull=False),
                name="movement_by_actor",
            ),
            BrinIndex(
                fields=("created_at",),
                autosummarize=True,
                pages_per_range=16,
                name="movement_by_time",
            ),
        )
        triggers = (
            Refuse(name="ledger_is_append_only", operation=pgtrigger.Update | pgtrigger.Delete),
        )

    def __str__(self) -> str:
        return f"{self.delta:+d} {self.get_reason_display()}"


class LowStockQuerySet(QuerySet["LowStock"]):
    def unclaimed(self) -> Self:
        """Rows of which staff were not told, and of which nobody is telling them now."""
        lapsed = Q(claimed_at=None) | Q(claimed_at__lt=Now() - timedelta(minutes=5))
        return self.filter(lapsed, notified_at=None)


class LowStock(models.Model):
    """A row that is low, from when that was noticed until it no longer is. Staff are mailed once.

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


# A worker without a heartbeat for this long is dead, and its transaction is rolled back.
STALLED = Q(state="applying", stirred_at__lt=Now() - timedelta(seconds=30))
# Longer than reading one file may take; after it another worker starts over.
READING_STALLED = Q(state="reading", stirred_at__lt=Now() - timedelta(seconds=90))
# A running worker takes a file at once; after this long none is running.
LATE = Q(state="waiting", created_at__lt=Now() - timedelta(seconds=10))


class StockImportQuerySet(QuerySet["StockImport"]):
    def with_signs_of_life(self) -> Self:
        """Annotates `stalled` and `late`, by the database's clock."""
        return self.annotate(
            stalled=ExpressionWrapper(STALLED, BooleanField()),
            late=ExpressionWrapper(LATE | READING_STALLED, BooleanField()),
        )

    def free(self) -> Self:
        """Those that nobody is applying, and nobody has."""
        return self.filter(Q(state="checked") | STALLED, error_count=0)

    def unread(self) -> Self:
        """Those whose file no worker has read, or is reading."""
        return self.filter(Q(state="waiting") | READING_STALLED)

    def same_as(self, kept: "StockImport") -> Self:
        """Those with the very same rows, itself among them."""
        return self.filter(digest=kept.digest).exclude(digest="")

    def twins_of(self, kept: "StockImport") -> Self:
        """Others of the same rows that were applied, or are just being: the last first."""
        done = self.same_as(kept).filter(state__in=("applying", "applied"))
        return done.exclude(pk=kept.pk).order_by("-applied_at", "-created_at")


class StockImport(models.Model):
    """A file of adjustments: its state and the results of the check. Its key is the reference of
    the movements it led to."""

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting to be read"
        READING = "reading", "Being read"
        REFUSED = "refused", "Cannot be read"
        CHECKED = "checked"
        APPLYING = "applying"
        APPLIED = "applied"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    file_name = models.CharField("file", max_length=120)
    state = models.CharField(max_length=8, choices=State, default=State.CHECKED)
    row_count = models.PositiveIntegerField("rows")
    error_count = models.PositiveIntegerField("errors")
    done = models.PositiveIntegerField(default=0)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT)
    created_at = models.DateTimeField("uploaded at", db_default=Now(), editable=False)
    stirred_at = models.DateTimeField(null=True, help_text="The last sign of life of its worker.")
    applied_at = models.DateTimeField(null=True)
    trouble = models.CharField(max_length=200, help_text="Why it was refused, or not applied.")
    claim = models.UUIDField(null=True, help_text="Of the worker that reads it.")
    # SHA-256 of the meaning of its rows, which identifies the same rows in any kind of file.
    digest = models.CharField(max_length=64, default="", db_default="")
    remark = models.CharField(
        max_length=200, default="", db_default="", help_text="How its file was read."
    )

    stalled: bool  # annotated by `with_signs_of_life`
    late: bool  # annotated by `with_signs_of_life`

    objects = StockImportQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at",)
        default_permissions = ("view",)
        verbose_name = "import"
        constraints = (
            models.CheckConstraint(
                condition=Q(
                    state__in=(
                        "applied",
                        "applying",
                        "checked",
                        "reading",
                        "refused",
                        "waiting",
                    )
                ),
                name="import_state_known",
            ),
            models.CheckConstraint(
                condition=~Q(state="applied") | Q(applied_at__isnull=False, error_count=0),
                name="import_applied_without_errors",
            ),
        )
        triggers = (
            Refuse(
                name="applied_is_applied",
                operation=pgtrigger.Update | pgtrigger.Delete,
                condition=pgtrigger.Q(old__state="applied"),
            ),
        )
        indexes = (
            models.Index(fields=("digest",), condition=~Q(digest=""), name="import_by_digest"),
            models.Index(fields=("-created_at",), name="import_by_time"),
            models.Index(fields=("state", "-created_at"), name="import_by_state"),
            GinIndex(OpClass(Upper("file_name"), "gin_trgm_ops"), name="import_by_file_name"),
        )

    def __str__(self) -> str:
        return self.file_name

    @property
    def steps(self) -> int:
        """The final value of `done`: each row is locked, then written."""
        return 2 * self.row_count

    @property
    def is_read(self) -> bool:
        return self.state not in (self.State.WAITING, self.State.READING)


class StockImportFile(models.Model):
    """The uploaded file, until a worker has read it. In the database, since worker and web server
    may run on different machines."""

    stock_import = models.OneToOneField(StockImport, models.CASCADE, primary_key=True)
    content = models.BinaryField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"file of {self.stock_import_id}"


class StockImportRow(models.Model):
    """One line of a file, and the error found in it."""

    stock_import = models.ForeignKey(StockImport, models.CASCADE, db_index=False)
    line = models.PositiveIntegerField()
    product = models.CharField(max_length=80)
    warehouse = models.CharField(max_length=20)
    inventory = models.ForeignKey(Inventory, models.PROTECT, null=True, db_index=False)
    before = models.IntegerField(null=True)
    delta = models.IntegerField("change", null=True)
    reason = models.CharField(max_length=12)
    note = models.CharField(max_length=200)
    error = models.CharField(max_length=200)

    class Meta:
        ordering = ("line",)
        default_permissions = ("view",)
        constraints = (
            models.UniqueConstraint(
                fields=("stock_import", "line"), name="one_row_per_import_and_line"
            ),
        )
        indexes = (
            models.Index(
                fields=("stock_import",), condition=~Q(error=""), name="import_rows_with_errors"
            ),
            models.Index(Upper("product"), name="import_row_by_product"),
        )

    def __str__(self) -> str:
        return f"line {self.line}"

    @property
    def after(self) -> int | None:
        return None if self.before is None or self.delta is None else self.before + self.delta

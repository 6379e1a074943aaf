"""Files of adjustments, from the upload to the last row that was applied."""

import uuid
from datetime import timedelta
from typing import Self

import pgtrigger
from django.conf import settings
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import BooleanField, ExpressionWrapper, Q, QuerySet
from django.db.models.functions import Now, Upper

from allo.postgresql.indexes import OpClass
from allo.postgresql.triggers import Refuse
from inventory.models.stock import Inventory

# A worker without a heartbeat for this long is dead, and its transaction is rolled back.
STALLED = Q(state="applying", stirred_at__lt=Now() - timedelta(seconds=30))
# Longer than reading one file may take; after it another worker starts over.
READING_STALLED = Q(state="reading", stirred_at__lt=Now() - timedelta(seconds=90))
# A running worker takes a file at once; a file that waits for longer shows that none runs.
LATE = Q(state="waiting", created_at__lt=Now() - timedelta(seconds=10))


class StockImportQuerySet(QuerySet["StockImport"]):
    def with_signs_of_life(self) -> Self:
        """Annotates `stalled` and `late`, by the database's clock."""
        return self.annotate(
            stalled=ExpressionWrapper(STALLED, BooleanField()),
            late=ExpressionWrapper(LATE | READING_STALLED, BooleanField()),
        )

    def free(self) -> Self:
        """Checked without errors, and not applied or being applied."""
        return self.filter(Q(state="checked") | STALLED, error_count=0)

    def unread(self) -> Self:
        """Those whose file no worker has read or is reading."""
        return self.filter(Q(state="waiting") | READING_STALLED)

    def same_as(self, kept: "StockImport") -> Self:
        """Those with the same rows, including this one."""
        return self.filter(digest=kept.digest).exclude(digest="")

    def twins_of(self, kept: "StockImport") -> Self:
        """Others with the same rows that were applied or are being applied, the latest first."""
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

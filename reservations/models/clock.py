"""What the clock records: its sweeps, audits and corrections, and how far it has forgotten."""

import pgtrigger
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from allo.postgresql.triggers import Refuse
from inventory.models import Inventory


class Sweep(models.Model):
    """One run of the sweep: how many it expired, and its longest delay."""

    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(db_index=True)
    expired = models.PositiveIntegerField()
    max_lateness_seconds = models.FloatField(default=0)

    class Meta:
        ordering = ("-pk",)

    def __str__(self) -> str:
        return f"{self.expired} expired"


class AuditRun(models.Model):
    """One audit of some books. `findings` are sentences; none means that the books balance. History
    before `since` was left out; None is a whole audit."""

    class Books(models.TextChoices):
        STOCK = "stock"
        MONEY = "money"

    books = models.CharField(
        max_length=5, choices=Books, default=Books.STOCK, db_default=Books.STOCK
    )
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(db_index=True)
    since = models.DateTimeField(null=True, blank=True)
    findings = models.JSONField(default=list)

    class Meta:
        ordering = ("-pk",)
        permissions = (("run_audit", "Can start an audit"),)
        constraints = (
            models.CheckConstraint(
                condition=Q(books__in=("stock", "money")), name="audited_books_known"
            ),
        )
        indexes = (models.Index(fields=("books", "-id"), name="audit_by_books"),)

    def __str__(self) -> str:
        count = len(self.findings)
        return f"{count} finding{'' if count == 1 else 's'}" if count else "the books balance"


class Repair(models.Model):
    """One correction of `reserved_units`: the value found, and the units really held."""

    inventory = models.ForeignKey(Inventory, models.PROTECT)
    found = models.IntegerField()
    held = models.IntegerField()
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ("-pk",)
        constraints = (
            models.CheckConstraint(condition=~Q(found=F("held")), name="repair_repairs"),
        )
        triggers = (
            Refuse(name="repairs_are_append_only", operation=pgtrigger.Update | pgtrigger.Delete),
        )

    def __str__(self) -> str:
        return f"reserved {self.found} corrected to {self.held}"


class ClockRun(models.Model):
    """When the clock last began a task: see `reservations.clock.turns`."""

    task = models.CharField(max_length=100, primary_key=True)
    began_at = models.DateTimeField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.task} at {self.began_at:%H:%M:%S}"


class Forgotten(models.Model):
    """How far the clock has removed personal data from one kind of row: up to the time `until`, so
    that no run reads earlier rows again."""

    what = models.CharField(max_length=40, primary_key=True)
    until = models.DateTimeField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.what}: {self.until:%Y-%m-%d}"

import pgtrigger
from django.conf import settings
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from allo.postgresql.triggers import Refuse
from inventory.models.stock import Inventory


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

    # These leave the size of a run as it is.
    NOT_OF_RUN = (Reason.SOLD, Reason.RETURNED)
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

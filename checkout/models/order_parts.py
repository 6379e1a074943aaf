"""The lines of an order, and what happened to it. Both go with their order, by a trigger."""

from django.conf import settings
from django.db import models
from django.db.models import F, Index, Q
from django.db.models.functions import Now, Upper

from catalog.models import MOST_GST
from checkout.models.order import Order, as_numeric, gst_in
from checkout.models.part_triggers import OF_EVENT, OF_LINE
from reservations.models import Reservation


class OrderLine(models.Model):
    """One reservation of an order, with quantity and price as they were held."""

    order = models.ForeignKey(Order, models.DO_NOTHING, related_name="order_lines")
    reservation = models.ForeignKey(Reservation, models.PROTECT)
    name = models.CharField(max_length=80)
    unit_paise = models.PositiveIntegerField("unit price (paise)")
    quantity = models.PositiveIntegerField()
    gst_percent = models.PositiveSmallIntegerField("GST (%)")
    gst_paise = models.PositiveBigIntegerField("GST in it (paise)")
    active = models.BooleanField(
        default=True, db_default=True, help_text="Not on an order that was dropped."
    )
    # The lines of one warehouse leave together, as one parcel.
    shipped_at = models.DateTimeField(null=True, blank=True)
    carrier = models.CharField(max_length=60, blank=True, default="", db_default="")
    tracking = models.CharField(
        "tracking number", max_length=60, blank=True, default="", db_default=""
    )
    returned_units = models.PositiveIntegerField(
        "units put back",
        default=0,
        db_default=0,
        help_text="Refunded, and on the shelf again; without what a cancel puts back.",
    )

    class Meta:
        ordering = ("pk",)
        default_permissions = ("view",)
        constraints = (
            models.UniqueConstraint(
                fields=("reservation",),
                condition=Q(active=True),
                name="one_active_line_per_reservation",
            ),
            models.CheckConstraint(
                condition=Q(unit_paise__gt=0, quantity__gt=0), name="line_sells_something"
            ),
            models.CheckConstraint(
                condition=Q(gst_percent__lte=MOST_GST), name="line_gst_percent_known"
            ),
            models.CheckConstraint(
                condition=Q(
                    gst_paise=gst_in(as_numeric("unit_paise") * F("quantity"), F("gst_percent"))
                ),
                name="line_gst_is_exact",
            ),
            models.CheckConstraint(
                condition=Q(shipped_at__isnull=False) | Q(carrier="", tracking=""),
                name="parcel_has_left",
            ),
        )
        indexes = (
            # As `iexact` compares. A line that has not left is not in it, so selling writes none.
            Index(Upper("tracking"), condition=~Q(tracking=""), name="line_by_tracking"),
        )
        triggers = OF_LINE

    def __str__(self) -> str:
        return f"{self.quantity} × {self.name}"

    @property
    def total_paise(self) -> int:
        return self.quantity * self.unit_paise


class OrderEvent(models.Model):
    """What happened to an order, and by whom if it was staff. `note` has no personal data."""

    order = models.ForeignKey(Order, models.DO_NOTHING, related_name="order_events", db_index=False)
    what = models.CharField(max_length=40)
    who = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True)
    at = models.DateTimeField(db_default=Now(), editable=False)
    note = models.CharField(max_length=200, blank=True, default="", db_default="")

    class Meta:
        ordering = ("-pk",)
        default_permissions = ("view",)
        constraints = (models.CheckConstraint(condition=~Q(what=""), name="order_event_says_what"),)
        indexes = (Index(fields=("order", "id"), name="event_by_order"),)
        triggers = OF_EVENT

    def __str__(self) -> str:
        return f"{self.what}: {self.note}" if self.note else self.what

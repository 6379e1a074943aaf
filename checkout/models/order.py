import uuid
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import F, Func, Index, Q, QuerySet
from django.db.models.functions import Cast, Coalesce, Now, Round, Upper

from allo.postgresql.indexes import OpClass
from catalog.models import MOST_GST
from checkout.models.order_triggers import OF_ORDER
from reservations.models.reservation_triggers import NOBODY

# Without I, L, O and U, so that nobody misreads a number.
NUMBER = r"^AL-[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}$"
PIN = r"^[1-9][0-9]{5}$"


class IsComposed(Func):
    """Whether a text is in Unicode's normal form C."""

    template = "(%(expressions)s IS NFC NORMALIZED)"
    output_field = models.BooleanField()


def gst_in(paise: Any, percent: Any) -> Any:
    """The tax in a price of numeric paise; half a paisa is rounded up."""
    return Round(paise * percent / (percent + 100))


def as_numeric(field: str) -> Any:
    """As numeric, which cannot overflow."""
    return Cast(field, models.DecimalField(max_digits=30, decimal_places=0))


STATES = ("open", "dropped", "placed", "paid", "packed", "shipped", "delivered", "cancelled")


def _timed(state: str, *reached: str, perhaps: tuple[str, ...] = ()) -> models.CheckConstraint:
    """The time of a state is set in that state and in those that follow from it, and in no
    other."""
    never = [other for other in STATES if other not in (*reached, *perhaps)]
    condition = Q(("state__in", list(reached)), (f"{state}_at__isnull", False))
    condition |= Q(("state__in", never), (f"{state}_at__isnull", True))
    if perhaps:
        condition |= Q(state__in=list(perhaps))
    return models.CheckConstraint(condition=condition, name=f"{state}_has_its_time")


class OrderQuerySet(QuerySet["Order"]):
    def locking(self) -> Self:
        """Rank 4 of the lock order that `reservations.engine.locks` lists. They are locked when
        this is evaluated, inside a transaction. FOR NO KEY UPDATE, as the foreign keys of an
        order's parts take FOR KEY SHARE."""
        return self.order_by("pk").select_for_update(no_key=True)


class Order(models.Model):
    """One purchase, from the moment when its payment is offered."""

    class State(models.TextChoices):
        OPEN = "open"
        DROPPED = "dropped"
        PLACED = "placed"
        PAID = "paid"
        PACKED = "packed"
        SHIPPED = "shipped"
        DELIVERED = "delivered"
        CANCELLED = "cancelled"

    # Its units are sold, and its money is taken.
    SOLD = (State.PLACED, State.PAID, State.PACKED, State.SHIPPED, State.DELIVERED)
    # Staff may cancel it.
    CANCELLABLE = (State.PAID, State.PACKED)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    number = models.CharField(max_length=12, unique=True)
    holder = models.CharField(max_length=80, help_text="Whose holds these were when it was opened.")
    account = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, db_index=False
    )
    state = models.CharField(max_length=9, choices=State, default=State.OPEN, db_default=State.OPEN)
    opened_at = models.DateTimeField(db_default=Now())
    dropped_at = models.DateTimeField(null=True, blank=True)
    placed_at = models.DateTimeField(null=True, blank=True)
    paid_at = models.DateTimeField(null=True, blank=True)
    packed_at = models.DateTimeField(null=True, blank=True)
    shipped_at = models.DateTimeField(null=True, blank=True)
    delivered_at = models.DateTimeField(null=True, blank=True)
    cancelled_at = models.DateTimeField(null=True, blank=True)
    total_paise = models.PositiveBigIntegerField("total (paise)", help_text="With shipping.")
    shipping_paise = models.PositiveIntegerField("shipping (paise)", default=0, db_default=0)
    shipping_gst_percent = models.PositiveSmallIntegerField(
        "GST on shipping (%)",
        null=True,
        blank=True,
        help_text="Empty: it was opened when shipping was charged without tax.",
    )
    shipping_gst_paise = models.PositiveIntegerField(
        "GST in shipping (paise)", default=0, db_default=0
    )
    by_program = models.BooleanField(
        default=False, db_default=False, help_text="It was ordered through the API."
    )
    # The buyer. Empty if a program ordered without one.
    name = models.CharField(max_length=120, blank=True, default="", db_default="")
    email = models.CharField("e-mail", max_length=254, blank=True, default="", db_default="")
    phone = models.CharField(max_length=20, blank=True, default="", db_default="")
    # Where it is sent. Empty if it is collected at the warehouse.
    line1 = models.CharField("address", max_length=120, blank=True, default="", db_default="")
    line2 = models.CharField("second line", max_length=120, blank=True, default="", db_default="")
    city = models.CharField(max_length=80, blank=True, default="", db_default="")
    region = models.CharField("state", max_length=2, blank=True, default="", db_default="")
    pin = models.CharField("PIN", max_length=6, blank=True, default="", db_default="")
    # Null and not empty, as each is unique.
    invoice_number = models.CharField(max_length=16, null=True, blank=True, unique=True)
    # The seller of the invoice, by the settings when its number was given.
    seller_name = models.TextField(blank=True, default="", db_default="")
    seller_address = models.TextField(blank=True, default="", db_default="")
    seller_gstin = models.CharField(
        "seller's GSTIN",
        max_length=15,
        blank=True,
        default="",
        db_default="",
        help_text="Empty: an earlier version gave the number, and nobody knows by which seller.",
    )

    objects = OrderQuerySet.as_manager()

    class Meta:
        ordering = ("-opened_at", "pk")
        default_permissions = ("view",)
        permissions = (
            ("fulfil_order", "Can pack, send and deliver orders"),
            ("refund_order", "Can refund orders"),
            ("cancel_order", "Can cancel orders"),
        )
        constraints = (
            models.CheckConstraint(condition=Q(state__in=STATES), name="order_state_known"),
            _timed("dropped", "dropped"),
            _timed("placed", "placed", "paid", "packed", "shipped", "delivered", "cancelled"),
            _timed("paid", "paid", "packed", "shipped", "delivered", perhaps=("cancelled",)),
            _timed("packed", "packed", "shipped", "delivered", perhaps=("cancelled",)),
            _timed("shipped", "shipped", "delivered"),
            _timed("delivered", "delivered"),
            _timed("cancelled", "cancelled"),
            models.CheckConstraint(condition=Q(number__regex=NUMBER), name="order_number_readable"),
            models.CheckConstraint(
                condition=Q(total_paise__gt=F("shipping_paise")), name="order_costs_something"
            ),
            models.CheckConstraint(
                condition=Q(shipping_gst_percent__lte=MOST_GST), name="shipping_gst_percent_known"
            ),
            models.CheckConstraint(
                condition=Q(
                    shipping_gst_paise=gst_in(
                        as_numeric("shipping_paise"), Coalesce("shipping_gst_percent", 0)
                    )
                ),
                name="shipping_gst_is_exact",
            ),
            models.CheckConstraint(
                condition=Q(line1="", line2="", city="", region="", pin="")
                | (~Q(line1="") & ~Q(city="") & Q(region__regex="^[A-Z]{2}$", pin__regex=PIN)),
                name="address_is_whole_or_none",
            ),
            models.CheckConstraint(
                condition=Q(
                    IsComposed("name"), IsComposed("line1"), IsComposed("line2"), IsComposed("city")
                ),
                name="order_texts_are_nfc",
            ),
            models.CheckConstraint(
                condition=Q(invoice_number=None)
                | (Q(paid_at__isnull=False) & ~Q(invoice_number="")),
                name="invoice_is_of_a_paid_order",
            ),
            models.CheckConstraint(
                condition=Q(seller_name="", seller_address="", seller_gstin="")
                | (
                    Q(invoice_number__isnull=False)
                    & ~Q(seller_name="")
                    & ~Q(seller_address="")
                    & ~Q(seller_gstin="")
                ),
                name="seller_of_an_invoice_is_whole",
            ),
        )
        indexes = (
            Index(fields=("-opened_at", "id"), name="order_by_time"),
            Index(fields=("holder", "-opened_at"), name="order_by_holder"),
            Index(
                fields=("account", "-opened_at"),
                condition=Q(account__isnull=False),
                name="order_by_account",
            ),
            Index(fields=("state", "-opened_at"), name="order_by_state"),
            # What is to be packed and sent, the first that was paid first.
            Index(
                fields=("paid_at",), condition=Q(state__in=("paid", "packed")), name="order_to_send"
            ),
            # For what was sold on a day.
            Index(
                fields=("paid_at",), condition=Q(paid_at__isnull=False), name="order_by_paid_time"
            ),
            # As `iexact` and `istartswith` compare.
            Index(Upper("email"), name="order_by_email"),
            Index(OpClass(Upper("name"), "text_pattern_ops"), name="order_by_name"),
            Index(fields=("phone",), name="order_by_phone"),
        )
        triggers = OF_ORDER

    def __str__(self) -> str:
        return self.number

    @property
    def is_collected(self) -> bool:
        """At the warehouse: there is no address, and never was."""
        return not self.line1 and not self.is_forgotten

    @property
    def is_forgotten(self) -> bool:
        """Whether its buyer was removed, as the law does not ask for that any more."""
        return not self.name and not self.email and self.holder.rpartition(":")[2] == NOBODY

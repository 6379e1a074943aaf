import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import ExpressionWrapper, F, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from inventory.models import Inventory
from reservations.models.reservation_triggers import OF_RESERVATION

# An offer of the waiting list is held by this and the id of its entry.
OF_LIST = "list:"


class ReservationQuerySet(QuerySet["Reservation"]):
    def pending(self) -> Self:
        return self.filter(status=Reservation.Status.PENDING)

    def pending_of(self, holders: Sequence[str]) -> Self:
        """With the condition of the index on pending rows by holder: with another the planner
        could read all pending rows, or all that these holders ever held."""
        return self.filter(holder__in=holders, ended_at__isnull=True)

    def live(self) -> Self:
        return self.pending().filter(expires_at__gt=Now())

    def due(self) -> Self:
        return self.pending().filter(expires_at__lte=Now())

    def ended(self) -> Self:
        return self.filter(status__in=Reservation.FINAL, ended_at__isnull=False)

    def with_stock(self) -> Self:
        """Joins product and warehouse, and annotates `past_due` by the database's clock, the only
        one that all processes share."""
        return self.select_related("inventory__product__category", "inventory__warehouse").annotate(
            past_due=ExpressionWrapper(Q(expires_at__lte=Now()), models.BooleanField())
        )


class Reservation(models.Model):
    """A time-bounded hold of `quantity` units of one Inventory row.

    `status` and `expires_at` change only in `reservations.engine.books` and
    `reservations.clock.expiry`, under the lock of the inventory row.
    """

    class Status(models.TextChoices):
        PENDING = "pending"
        CONFIRMED = "confirmed"
        RELEASED = "released"
        EXPIRED = "expired"

    class Cause(models.TextChoices):
        """Why staff released it, as its holder reads it. The reason in staff's own words is not
        shown."""

        DAMAGED = "damaged", "It is damaged"
        MISSING = "missing", "It is not on the shelf"
        ASKED = "asked", "The shopper asked for it"
        RULES = "rules", "It was held against the rules"
        OTHER = "other", "Something else"

    FINAL = (Status.CONFIRMED, Status.RELEASED, Status.EXPIRED)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    inventory = models.ForeignKey(Inventory, models.PROTECT, db_index=False)
    quantity = models.PositiveIntegerField()
    # The product's price and name when it was held; these stay when the product changes.
    unit_paise = models.PositiveIntegerField("unit price (paise)")
    name = models.CharField(max_length=80)
    status = models.CharField(max_length=9, choices=Status, default=Status.PENDING)
    holder = models.CharField(
        max_length=80, help_text="user:…, visitor:…, anonymous:…, token:… or list:…"
    )
    address = models.CharField(
        max_length=43,
        blank=True,
        help_text="What held units are counted by: the network of a holder who never bought"
        " anything, or an API token.",
    )
    # The /24 or /48 around `address`: see `reservations.engine.holder.places_around`.
    around = models.CharField(max_length=12, blank=True, default="", db_default="", editable=False)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    renewals = models.PositiveSmallIntegerField(default=0)
    withdrawn = models.CharField(
        max_length=7,
        choices=Cause,
        blank=True,
        default="",
        db_default="",
        help_text="Why staff released it; empty if they did not.",
    )

    # On an open order, since then. What has ended keeps what it was.
    paying_since = models.DateTimeField(null=True, blank=True, editable=False)
    # An order lengthens a hold once, however often orders are opened and dropped.
    window_given = models.BooleanField(default=False, db_default=False, editable=False)
    # When the provider of payments could first not be reached for its order.
    provider_failed_at = models.DateTimeField(null=True, blank=True, editable=False)

    past_due: bool  # annotated by `with_stock`

    objects = ReservationQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at", "pk")
        constraints = (
            models.CheckConstraint(condition=Q(quantity__gt=0), name="quantity_gt_zero"),
            models.CheckConstraint(
                condition=Q(status__in=("pending", "confirmed", "released", "expired")),
                name="reservation_status_known",
            ),
            # I4. A final state has the time when it was reached, and only a final state does.
            models.CheckConstraint(
                condition=Q(status="pending", ended_at__isnull=True)
                | (~Q(status="pending") & Q(ended_at__isnull=False)),
                name="ended_when_final",
            ),
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("created_at")), name="expires_after_creation"
            ),
            # I7. Nothing is confirmed past its time, whatever the application checked.
            models.CheckConstraint(
                condition=~Q(status="confirmed") | Q(ended_at__lt=F("expires_at")),
                name="confirmed_in_time",
            ),
            models.CheckConstraint(
                condition=Q(withdrawn="")
                | Q(
                    status="released",
                    withdrawn__in=("damaged", "missing", "asked", "rules", "other"),
                ),
                name="withdrawn_is_released",
            ),
            # Equivalent to `status = 'pending'`; see `reservations.engine.sql.NOW_AND_PENDING_OF`
            # for why.
            models.UniqueConstraint(
                fields=("holder", "inventory"),
                condition=Q(ended_at__isnull=True),
                name="one_live_hold_per_holder_and_row",
            ),
        )
        # History grows without end, so the indexes of the hot path cover pending rows alone.
        indexes = (
            models.Index(
                fields=("expires_at",), condition=Q(status="pending"), name="pending_by_expiry"
            ),
            models.Index(
                fields=("inventory", "expires_at"),
                condition=Q(status="pending"),
                name="pending_by_inventory",
            ),
            models.Index(
                fields=("address",),
                condition=Q(status="pending") & ~Q(address=""),
                name="pending_by_address",
            ),
            models.Index(
                fields=("around",),
                condition=Q(status="pending") & ~Q(around=""),
                name="pending_around",
            ),
            models.Index(fields=("holder", "-created_at"), name="reservation_by_holder"),
            # The last that ended unpaid at a network.
            models.Index(
                fields=("address", "-ended_at"),
                condition=Q(status__in=("expired", "released"), withdrawn="") & ~Q(address=""),
                name="unpaid_by_address",
            ),
            # What a customer has bought of a product with `max_per_customer`.
            models.Index(
                fields=("holder", "inventory"),
                condition=Q(status="confirmed"),
                name="confirmed_by_holder",
            ),
            # For staff's lists of ended reservations, by state or by row. Making or renewing a hold
            # writes to neither index.
            models.Index(
                fields=("status", "ended_at"),
                condition=Q(ended_at__isnull=False),
                name="ended_by_status",
            ),
            models.Index(
                fields=("inventory", "ended_at"),
                condition=Q(ended_at__isnull=False),
                name="ended_by_inventory",
            ),
        )
        triggers = OF_RESERVATION
        permissions = (
            ("release_reservation", "Can release reservations"),
            ("extend_reservation", "Can extend reservations"),
        )

    def __str__(self) -> str:
        return f"{self.quantity} held until {self.expires_at:%H:%M:%S}"

    @property
    def short_id(self) -> str:
        """The first 8 characters of the id, which staff see and search by."""
        return str(self.pk)[:8]

    @property
    def what(self) -> str:
        """Quantity, product and warehouse, for staff. Needs `with_stock`."""
        return f"{self.quantity} × {self.name} in {self.inventory.warehouse}"

    @property
    def total_paise(self) -> int:
        return self.quantity * self.unit_paise

    @property
    def is_pending(self) -> bool:
        return self.status == self.Status.PENDING

    @property
    def is_offer(self) -> bool:
        """To somebody on the waiting list: what ends goes to the next there."""
        return self.holder.startswith(OF_LIST)

    @property
    def ended_by(self) -> str | None:
        if self.is_pending:
            return None
        if self.status == self.Status.EXPIRED:
            return "clock"
        return "staff" if self.withdrawn else "holder"

    @property
    def renewals_left(self) -> int:
        maximum: int = settings.RESERVATION_MAX_RENEWALS
        return max(maximum - self.renewals, 0)

    @property
    def outlasts_renewal(self) -> bool:
        """Whether renewing it now would change nothing: offers, and what staff extended."""
        again = timedelta(seconds=settings.RESERVATION_TTL_SECONDS)
        return self.expires_at > timezone.now() + again

    def is_due(self, now: datetime) -> bool:
        return self.is_pending and self.expires_at <= now

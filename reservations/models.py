"""Reservations, the replies stored under idempotency keys, and the records of staff and clock."""

import re
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Self

import pgtrigger
from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import ExpressionWrapper, F, Q, QuerySet
from django.db.models.functions import Now, Upper

from allo.postgresql.indexes import OpClass
from allo.postgresql.triggers import Refuse
from allo.web.names import name_is_visible
from inventory.models import Inventory


class ReservationQuerySet(QuerySet["Reservation"]):
    def pending(self) -> Self:
        return self.filter(status=Reservation.Status.PENDING)

    def pending_of(self, holders: Sequence[str]) -> Self:
        """In the words of the index on pending rows by holder: in others the planner would read
        all that is pending, or all that these holders ever held."""
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
    holder = models.CharField(max_length=80, help_text="user:…, visitor:…, anonymous:… or token:…")
    address = models.CharField(
        max_length=43,
        blank=True,
        help_text="What held units are counted by: the network of a holder without an account,"
        " or an API token.",
    )
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
            models.Index(fields=("holder", "-created_at"), name="reservation_by_holder"),
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
        triggers = (
            Refuse(
                name="final_is_final",
                operation=pgtrigger.Update,
                condition=~pgtrigger.Q(old__status="pending"),
            ),
            Refuse(name="history_is_kept", operation=pgtrigger.Delete),
            # Fires only for statements that update one of these columns.
            Refuse(
                name="price_is_kept",
                operation=pgtrigger.UpdateOf("inventory_id", "unit_paise", "name"),  # type: ignore[no-untyped-call]
                condition=pgtrigger.AnyChange("inventory", "unit_paise", "name"),
            ),
        )
        permissions = (
            ("release_reservation", "Can release reservations"),
            ("extend_reservation", "Can extend reservations"),
        )

    def __str__(self) -> str:
        return f"{self.quantity} held until {self.expires_at:%H:%M:%S}"

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

    def is_due(self, now: datetime) -> bool:
        return self.is_pending and self.expires_at <= now


class StaffAction(models.Model):
    """What a member of staff did to a reservation, and why; written in the same transaction."""

    class Action(models.TextChoices):
        RELEASED = "released"
        EXTENDED = "extended"

    reservation = models.ForeignKey(Reservation, models.PROTECT)
    action = models.CharField(max_length=8, choices=Action)
    minutes = models.PositiveSmallIntegerField(null=True, blank=True)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT)
    reason = models.CharField(max_length=200)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ("-pk",)
        constraints = (
            models.CheckConstraint(condition=~Q(reason=""), name="staff_action_has_a_reason"),
            models.CheckConstraint(
                condition=Q(action="released", minutes__isnull=True)
                | Q(action="extended", minutes__gt=0),
                name="staff_action_known",
            ),
        )
        # As `icontains` compares.
        indexes = (
            models.Index(fields=("action", "-id"), name="staff_action_by_kind"),
            GinIndex(OpClass(Upper("reason"), "gin_trgm_ops"), name="staff_action_by_reason"),
        )
        triggers = (
            Refuse(
                name="staff_actions_are_append_only",
                operation=pgtrigger.Update | pgtrigger.Delete,
            ),
        )

    def __str__(self) -> str:
        if self.action == self.Action.EXTENDED:
            return f"extended by {self.minutes} min: {self.reason}"
        return f"released: {self.reason}"


class IdempotencyKey(models.Model):
    """The reply to a client under a key, stored in the transaction of its effect (I6)."""

    client = models.CharField(max_length=80)
    endpoint = models.CharField(max_length=100)
    key = models.CharField(max_length=255)
    request_hash = models.BinaryField(max_length=32)
    status = models.PositiveSmallIntegerField()
    body = models.TextField()
    reservation = models.ForeignKey(
        Reservation, models.PROTECT, null=True, blank=True, db_index=False
    )
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        ordering = ("-created_at",)
        constraints = (
            models.UniqueConstraint(
                fields=("client", "endpoint", "key"),
                name="one_answer_per_client_endpoint_and_key",
            ),
        )

    def __str__(self) -> str:
        return f"{self.endpoint}: {self.status}"


def rate_is_known(rate: str) -> None:
    if not re.fullmatch(r"off|[1-9]\d{0,5}/[smh]", rate):
        raise ValidationError('Give "600/m", "20/s", "5000/h" or "off".')


class ApiToken(models.Model):
    """The API token of a merchant's system. Only a hash of the secret is stored. A plain hash is
    enough, since 256 random bits cannot be guessed."""

    class Scope(models.TextChoices):
        READ = "read", "read: see its own reservations"
        RESERVE = "reserve", "reserve: hold stock"
        CONFIRM = "confirm", "confirm: sell what it holds"
        MANAGE = "manage", "manage: release, renew and change what it holds"

    name = models.CharField(
        max_length=80, validators=[name_is_visible], help_text="The merchant whose system uses it."
    )
    prefix = models.CharField(max_length=12, editable=False)
    digest = models.BinaryField(max_length=32, unique=True, editable=False)
    scopes = ArrayField(models.CharField(max_length=8, choices=Scope), default=list)
    rate = models.CharField(
        max_length=10,
        default="600/m",
        validators=[rate_is_known],
        help_text='Writing calls, as "600/m", "20/s" or "off".',
    )
    max_units = models.PositiveIntegerField(
        default=200, help_text="Units it may hold unpaid, over all its customers; 0 is no limit."
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, editable=False
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    last_used_at = models.DateTimeField(null=True, editable=False)
    revoked_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ("-pk",)
        verbose_name = "API token"
        constraints = (
            models.CheckConstraint(
                condition=Q(scopes__contained_by=["read", "reserve", "confirm", "manage"]),
                name="token_scopes_known",
            ),
        )
        triggers = (
            Refuse(
                name="revoked_is_revoked",
                operation=pgtrigger.Update,
                condition=pgtrigger.Q(old__revoked_at__isnull=False),
            ),
        )

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"


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
    """One audit of the books. `findings` are sentences; none means that the books balance."""

    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(db_index=True)
    findings = models.JSONField(default=list)

    class Meta:
        ordering = ("-pk",)
        permissions = (("run_audit", "Can start an audit"),)

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

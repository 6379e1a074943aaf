"""The money of orders: invitations to pay, money that appeared, and money on its way back."""

import uuid
from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import F, Index, Q
from django.db.models.functions import Now

from checkout.models.money_triggers import OF_CHARGE, OF_PAYMENT, OF_REFUND
from checkout.models.order import Order
from checkout.models.order_parts import OrderLine

PROVIDERS = ("bank", "stripe", "none")


class Payment(models.Model):
    """An invitation to pay an order.

    Its id is the idempotency key of every call to the provider, and each call is made from this row
    alone, so a retry never differs.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    order = models.ForeignKey(Order, models.DO_NOTHING, related_name="payments")
    provider = models.CharField(max_length=10)
    # Null and not empty, as each is unique.
    session_ref = models.CharField(max_length=255, null=True, blank=True)  # noqa: DJ001
    url = models.CharField("payment page", max_length=2000, blank=True, default="", db_default="")
    expires_at = models.DateTimeField()
    success_url = models.CharField(max_length=500)
    cancel_url = models.CharField(max_length=500)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    look_at = models.DateTimeField(
        null=True, blank=True, db_default=Now(), help_text="Empty: it is no longer looked at."
    )
    looks = models.PositiveIntegerField(
        default=0, db_default=0, help_text="Since anything changed there."
    )
    given_up_at = models.DateTimeField(
        null=True, blank=True, help_text="From then on its money is never taken."
    )
    closed_at = models.DateTimeField(null=True, blank=True, help_text="Nobody can pay it any more.")

    # Annotated by `reading.locked_payment`.
    now: datetime
    is_heard: bool  # whether some webhook wants to hear of paid orders
    ends_soon: bool  # by `reading.last_payment`

    class Meta:
        ordering = ("-created_at", "pk")
        default_permissions = ("view",)
        constraints = (
            models.CheckConstraint(
                condition=Q(provider__in=PROVIDERS), name="payment_provider_known"
            ),
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("created_at")), name="payment_lasts"
            ),
            models.CheckConstraint(
                condition=Q(look_at__isnull=False) | Q(closed_at__isnull=False),
                name="unclosed_payment_is_looked_at",
            ),
            models.CheckConstraint(
                condition=Q(session_ref=None) | ~Q(session_ref=""), name="session_has_a_reference"
            ),
            models.UniqueConstraint(
                fields=("provider", "session_ref"),
                condition=Q(session_ref__isnull=False),
                name="one_payment_per_session",
            ),
            models.UniqueConstraint(
                fields=("order",),
                condition=Q(closed_at=None),
                name="one_unclosed_payment_per_order",
            ),
        )
        # The clock reads what is due: unclosed ones, and closed ones for some days.
        indexes = (
            Index(fields=("look_at",), condition=Q(look_at__isnull=False), name="payment_due"),
            Index(fields=("-created_at", "id"), name="payment_by_time"),
        )
        triggers = OF_PAYMENT

    def __str__(self) -> str:
        return f"{self.provider} payment {self.pk}"


class Charge(models.Model):
    """Money that appeared at a provider, and what was decided when it was first seen."""

    class Fact(models.TextChoices):
        AUTHORISED = "authorised"
        CAPTURED = "captured"
        VOID = "void"

    class Decision(models.TextChoices):
        TAKE = "take"
        GIVE_BACK = "give_back"

    order = models.ForeignKey(Order, models.PROTECT, related_name="charges")
    payment = models.ForeignKey(Payment, models.PROTECT, related_name="charges")
    provider = models.CharField(max_length=10)
    reference = models.CharField(max_length=255, unique=True)
    # In the currency's smallest unit.
    amount = models.PositiveBigIntegerField()
    currency = models.CharField(max_length=3, default="INR", db_default="INR")
    fact = models.CharField(max_length=10, choices=Fact)
    seen_as = models.CharField(
        max_length=10,
        choices=Fact,
        default="",
        db_default="",
        editable=False,
        help_text="The fact when it was first seen. A trigger sets it.",
    )
    decision = models.CharField(max_length=9, choices=Decision)
    refunded_paise = models.PositiveBigIntegerField(
        "refunded (paise)",
        default=0,
        db_default=0,
        help_text="And what is on its way back. A trigger keeps it.",
    )
    disputed_at = models.DateTimeField(null=True, blank=True)
    settled_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ("-created_at", "-pk")
        default_permissions = ("view",)
        constraints = (
            models.CheckConstraint(
                condition=Q(fact__in=("authorised", "captured", "void")), name="charge_fact_known"
            ),
            models.CheckConstraint(
                condition=Q(seen_as__in=("authorised", "captured", "void")),
                name="charge_first_fact_known",
            ),
            models.CheckConstraint(
                condition=Q(decision__in=("take", "give_back")), name="charge_decision_known"
            ),
            models.CheckConstraint(
                condition=Q(amount__gt=0, currency__regex="^[A-Z]{3}$") & ~Q(reference=""),
                name="charge_is_money",
            ),
            models.CheckConstraint(
                condition=Q(refunded_paise__lte=F("amount")), name="refunded_at_most_the_charge"
            ),
            models.CheckConstraint(
                condition=Q(refunded_paise=0) | Q(fact="captured"), name="refunded_is_captured"
            ),
            models.CheckConstraint(
                condition=Q(decision="give_back") | Q(currency="INR"), name="taken_in_rupees"
            ),
            models.UniqueConstraint(
                fields=("order",), condition=Q(decision="take"), name="one_charge_taken_per_order"
            ),
        )
        indexes = (
            Index(fields=("-created_at", "-id"), name="charge_by_time"),
            Index(fields=("created_at",), condition=Q(settled_at=None), name="charge_unsettled"),
            Index(
                fields=("created_at",), condition=Q(decision="give_back"), name="charge_given_back"
            ),
            Index(
                fields=("disputed_at",),
                condition=Q(disputed_at__isnull=False),
                name="charge_disputed",
            ),
        )
        triggers = OF_CHARGE

    def __str__(self) -> str:
        return f"{self.provider} charge {self.reference}"


class Refund(models.Model):
    """Money on its way back. Its id is the idempotency key at the provider."""

    class State(models.TextChoices):
        ASKED = "asked"
        DONE = "done"
        FAILED = "failed"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    charge = models.ForeignKey(Charge, models.PROTECT, related_name="refunds")
    line = models.ForeignKey(
        OrderLine, models.PROTECT, null=True, blank=True, related_name="refunds"
    )
    units = models.PositiveIntegerField(default=0, db_default=0, help_text="Of the line.")
    amount = models.PositiveBigIntegerField("amount (paise)")
    reason = models.CharField(max_length=200)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True)
    state = models.CharField(
        max_length=6, choices=State, default=State.ASKED, db_default=State.ASKED
    )
    # Null and not empty, as each is unique.
    reference = models.CharField(max_length=255, null=True, blank=True, unique=True)
    tries = models.PositiveIntegerField(default=0, db_default=0)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    # Set by a trigger, whatever writes the state.
    done_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When the provider was seen to have it."
    )

    class Meta:
        ordering = ("-created_at", "pk")
        default_permissions = ("view",)
        constraints = (
            models.CheckConstraint(
                condition=Q(state__in=("asked", "done", "failed")), name="refund_state_known"
            ),
            models.CheckConstraint(
                condition=(~Q(state="done") | Q(done_at__isnull=False))
                & (~Q(state="asked") | Q(done_at=None)),
                name="done_refund_has_its_time",
            ),
            models.CheckConstraint(condition=Q(amount__gt=0), name="refund_gt_zero"),
            models.CheckConstraint(condition=~Q(reason=""), name="refund_has_a_reason"),
            models.CheckConstraint(
                condition=Q(units=0) | Q(line__isnull=False), name="refunded_units_are_of_a_line"
            ),
            models.CheckConstraint(
                condition=Q(reference=None) | ~Q(reference=""), name="refund_reference_is_not_empty"
            ),
        )
        indexes = (
            Index(fields=("-created_at", "id"), name="refund_by_time"),
            Index(fields=("state", "-created_at"), name="refund_by_state"),
        )
        triggers = OF_REFUND

    def __str__(self) -> str:
        return f"refund {self.pk}"

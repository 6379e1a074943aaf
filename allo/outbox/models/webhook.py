"""Webhooks: the addresses that hear of events, the events, and each event's way to each address."""

from datetime import timedelta
from typing import Self

import pgtrigger
from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Now

from allo.outbox.models.message import LATE
from allo.postgresql.triggers import Refuse
from allo.web.names import name_is_visible

# Longer than one try takes; after it the worker is taken for dead.
LEASE = timedelta(minutes=1)
# A webhook that only failed for so long is paused.
GIVE_UP_AFTER = timedelta(days=1)
# How long the secret before the last one signs as well.
OVERLAP = timedelta(hours=24)
LONGEST_ANSWER = 500


class WebhookQuerySet(QuerySet["Webhook"]):
    def kept(self) -> Self:
        """Those that events are written for, paused or not."""
        return self.filter(ended_at=None)

    def live(self) -> Self:
        return self.kept().filter(paused_at=None)

    def due(self) -> Self:
        """Those with something to deliver now, the one that waits longest first."""
        free = Q(claimed_at=None) | Q(claimed_at__lt=Now() - LEASE)
        ready = Delivery.objects.ready().filter(webhook=OuterRef("pk"))
        due = self.live().filter(free, Exists(ready), next_try_at__lte=Now())
        return due.order_by("next_try_at")


class Webhook(models.Model):
    """An address of another system, which gets a signed message of each event of some kinds."""

    name = models.CharField(
        max_length=80, validators=[name_is_visible], help_text="The system that hears of it."
    )
    url = models.CharField("address", max_length=500)
    kinds = ArrayField(models.CharField(max_length=40), verbose_name="events")
    # The secrets themselves, since they sign what is sent. Shown once, and never logged.
    secret = models.CharField(max_length=80, editable=False)
    secret_before = models.CharField(max_length=80, blank=True, default="", editable=False)
    rotated_at = models.DateTimeField(null=True, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, editable=False
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    paused_at = models.DateTimeField(null=True, editable=False)
    paused_why = models.CharField(max_length=100, blank=True, default="", editable=False)
    ended_at = models.DateTimeField(null=True, editable=False)
    # Of the worker that delivers to it: there is one at a time.
    claimed_at = models.DateTimeField(null=True, editable=False)
    next_try_at = models.DateTimeField(db_default=Now(), editable=False)
    # In a row, and since when.
    failures = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    failing_since = models.DateTimeField(null=True, editable=False)

    objects = WebhookQuerySet.as_manager()

    class Meta:
        ordering = ("-pk",)
        default_permissions = ("add", "change", "view")
        constraints = (
            models.CheckConstraint(
                condition=Q(url__regex=r"^https?://[^\s@]+$"), name="webhook_has_an_address"
            ),
            models.CheckConstraint(condition=~Q(kinds=[]), name="webhook_hears_something"),
            models.CheckConstraint(
                condition=Q(failures=0, failing_since=None)
                | Q(failures__gt=0, failing_since__isnull=False),
                name="failing_since_the_first_failure",
            ),
        )
        triggers = (
            # Its deliveries refer to it.
            Refuse(name="webhook_is_kept", operation=pgtrigger.Delete),
            Refuse(
                name="ended_is_ended",
                operation=pgtrigger.Update,
                condition=pgtrigger.Q(old__ended_at__isnull=False),
            ),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def state(self) -> str:
        if self.ended_at:
            return "ended"
        if self.paused_at:
            return "paused"
        return "failing" if self.failures else "live"


class Event(models.Model):
    """What happened, in the words of the catalogue. Only what some webhook wants is written."""

    uid = models.UUIDField("id", db_default=RandomUUID(), unique=True, editable=False)
    kind = models.CharField(max_length=40)
    subject = models.CharField(max_length=80, help_text="Its events are delivered in order.")
    at = models.DateTimeField()
    data = models.JSONField()

    class Meta:
        ordering = ("-pk",)
        default_permissions = ("view",)
        indexes = (
            models.Index(fields=("at",), name="event_by_time"),
            models.Index(fields=("subject",), name="event_by_subject"),
        )
        triggers = (Refuse(name="event_stays_as_written", operation=pgtrigger.Update),)

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"


WAITING = Q(delivered_at=None, given_up_at=None)


class DeliveryQuerySet(QuerySet["Delivery"]):
    def waiting(self) -> Self:
        """Those that are still to be delivered."""
        return self.filter(WAITING)

    def delivered(self) -> Self:
        return self.filter(delivered_at__isnull=False)

    def given_up(self) -> Self:
        return self.filter(given_up_at__isnull=False)

    def to_live(self) -> Self:
        return self.filter(webhook__in=Webhook.objects.live())

    def late(self) -> Self:
        """The oldest that waits, of webhooks that are not paused, if that is for too long."""
        old = self.waiting().to_live().filter(created_at__lt=Now() - LATE)
        return old.order_by("created_at")[:1]

    def ready(self) -> Self:
        """Those to be delivered now: none of their subject that is older still waits."""
        elder = Delivery.objects.waiting().filter(
            webhook=OuterRef("webhook"), subject=OuterRef("subject"), pk__lt=OuterRef("pk")
        )
        # Looked up for each row: as a join of all that waits it took half a minute for a subject
        # with twenty thousand events.
        oldest = Subquery(elder.order_by("pk").values("pk")[:1])
        return self.waiting().filter(next_try_at__lte=Now()).alias(elder=oldest).filter(elder=None)

    def next_of(self, webhook: Webhook) -> "Delivery | None":
        ready = self.ready().filter(webhook=webhook).select_related("event")
        return ready.order_by("pk").first()


class Delivery(models.Model):
    """An event on its way to a webhook; sent again by staff, it is another delivery of it."""

    event = models.ForeignKey(Event, models.CASCADE)
    # No constraint of the database: what is fanned out would share a lock on the webhook's row with
    # each change of it. A webhook is never deleted.
    webhook = models.ForeignKey(
        Webhook, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="deliveries"
    )
    subject = models.CharField(max_length=80)
    created_at = models.DateTimeField(db_default=Now())
    next_try_at = models.DateTimeField("next try", db_default=Now())
    tries = models.PositiveIntegerField(default=0, db_default=0)
    tried_at = models.DateTimeField("last try", null=True)
    took_ms = models.PositiveIntegerField("took (ms)", null=True)
    status = models.PositiveSmallIntegerField("answer's status", null=True)
    answer = models.CharField(max_length=LONGEST_ANSWER, blank=True, default="", db_default="")
    error = models.CharField("last error", max_length=100, blank=True, default="", db_default="")
    delivered_at = models.DateTimeField(null=True)
    given_up_at = models.DateTimeField(null=True)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        ordering = ("-pk",)
        verbose_name_plural = "deliveries"
        default_permissions = ("view",)
        permissions = (("send_again", "Can send events to webhooks again"),)
        constraints = (
            models.CheckConstraint(
                condition=Q(delivered_at=None) | Q(given_up_at=None),
                name="delivered_or_given_up",
            ),
        )
        triggers = (
            Refuse(
                name="delivered_is_delivered",
                operation=pgtrigger.Update,
                condition=pgtrigger.Q(old__delivered_at__isnull=False),
            ),
        )
        indexes = (
            models.Index(fields=("webhook", "id"), name="delivery_due", condition=WAITING),
            models.Index(
                fields=("webhook", "subject", "id"), name="delivery_of_subject", condition=WAITING
            ),
            models.Index(fields=("created_at",), name="delivery_waiting", condition=WAITING),
            models.Index(
                fields=("created_at",),
                name="delivery_given_up",
                condition=Q(given_up_at__isnull=False),
            ),
            models.Index(fields=("webhook", "-id"), name="delivery_by_webhook"),
        )

    def __str__(self) -> str:
        return f"delivery {self.pk}"

    @property
    def state(self) -> str:
        if self.delivered_at:
            return "delivered"
        return "given up" if self.given_up_at else "waiting"

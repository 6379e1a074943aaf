from datetime import timedelta
from typing import Self

import pgtrigger
from django.db import models
from django.db.models import Q, QuerySet
from django.db.models.functions import Now, Upper

from allo.outbox.addresses import LONGEST
from allo.postgresql.indexes import OpClass
from allo.postgresql.triggers import Refuse

# Longer than sending one message takes; after it the worker is taken for dead.
LEASE = timedelta(minutes=5)
# Staff are shown that a message waits for longer.
LATE = timedelta(minutes=15)
FIRST_PAUSE, LONGEST_PAUSE = 5, 3600
# With the pauses between them these tries take a day.
TRIES = 33
WAITING = Q(sent_at=None, tries__lt=TRIES)
GIVEN_UP = Q(sent_at=None, tries__gte=TRIES)


def pause_after(tries: int) -> timedelta:
    return timedelta(seconds=min(FIRST_PAUSE * 2 ** (tries - 1), LONGEST_PAUSE))


class MessageQuerySet(QuerySet["Message"]):
    def waiting(self) -> Self:
        """Those that are still to be sent."""
        return self.filter(WAITING)

    def sent(self) -> Self:
        return self.filter(sent_at__isnull=False)

    def given_up(self) -> Self:
        return self.filter(GIVEN_UP)

    def late(self) -> Self:
        """The oldest that waits, if that is for too long."""
        return self.waiting().filter(created_at__lt=Now() - LATE).order_by("created_at")[:1]

    def in_trouble(self) -> Self:
        """The one that is late, and one that was given up, as far as there are any."""
        return self.late().union(self.given_up().order_by("created_at")[:1], all=True)

    def due(self) -> Self:
        free = Q(claimed_at=None) | Q(claimed_at__lt=Now() - LEASE)
        return self.waiting().filter(free, next_try_at__lte=Now()).order_by("next_try_at")


class Message(models.Model):
    """A mail to one address, from the transaction of its event on. Of one key there is one, for as
    long as it is kept."""

    key = models.CharField(max_length=200, unique=True)
    kind = models.CharField(max_length=60)
    to = models.CharField(max_length=LONGEST)
    context = models.JSONField(help_text="What it is about, until it is sent.")
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    claimed_at = models.DateTimeField(null=True, help_text="By the worker that is sending it.")
    sent_at = models.DateTimeField(null=True)
    tries = models.PositiveSmallIntegerField(default=0, db_default=0)
    next_try_at = models.DateTimeField("next try", db_default=Now())
    error = models.CharField("last error", max_length=100, default="", db_default="")

    objects = MessageQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at",)
        default_permissions = ("view",)
        permissions = (("retry_message", "Can try again to send messages that were given up"),)
        constraints = (
            models.CheckConstraint(
                condition=Q(to__regex=r"^[^@\s]+@[^@\s]+$"), name="message_to_one_address"
            ),
            models.CheckConstraint(
                condition=Q(sent_at=None) | Q(context={}), name="context_ends_with_sending"
            ),
        )
        triggers = (
            Refuse(
                name="sent_is_sent",
                operation=pgtrigger.Update,
                condition=pgtrigger.Q(old__sent_at__isnull=False),
            ),
            Refuse(
                name="message_stays_as_written",
                operation=pgtrigger.Update,
                condition=pgtrigger.AnyChange("key", "kind", "to", "created_at"),
            ),
        )
        indexes = (
            models.Index(fields=("next_try_at",), name="message_due", condition=WAITING),
            models.Index(fields=("created_at",), name="message_waiting", condition=WAITING),
            models.Index(fields=("created_at",), name="message_given_up", condition=GIVEN_UP),
            models.Index(fields=("-created_at",), name="message_by_time"),
            models.Index(OpClass(Upper("to"), "text_pattern_ops"), name="message_by_address"),
        )

    def __str__(self) -> str:
        """Without the address, as the admin's log keeps this for ever."""
        return f"{self.about}, message {self.pk}"

    @property
    def about(self) -> str:
        return self.kind.replace("_", " ").capitalize()

    @property
    def state(self) -> str:
        if self.sent_at:
            return "sent"
        return "given up" if self.tries >= TRIES else "waiting"

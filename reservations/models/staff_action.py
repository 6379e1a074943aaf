import pgtrigger
from django.conf import settings
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now, Upper

from allo.postgresql.indexes import OpClass
from allo.postgresql.triggers import Refuse
from reservations.models.reservation import Reservation


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

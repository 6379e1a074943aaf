import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from allo.postgresql.triggers import Refuse


class CooldownLift(models.Model):
    """Staff ended a holder's cool-down: holds that ended unpaid before this do not count any
    more."""

    holder = models.CharField(max_length=80, help_text="As in reservations: user:… or visitor:…")
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, editable=False)
    reason = models.CharField(max_length=200)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ("-pk",)
        verbose_name = "lifted cool-down"
        # Staff's page of these begins with those who cool down now.
        verbose_name_plural = "cool-downs"
        # Those who may see reservations may see these.
        default_permissions = ()
        permissions = (("lift_cooldown", "Can lift cool-downs"),)
        constraints = (
            models.CheckConstraint(
                condition=~Q(reason="") & ~Q(holder=""), name="cooldown_lift_has_a_reason"
            ),
        )
        indexes = (models.Index(fields=("holder", "-created_at"), name="cooldown_lift_by_holder"),)
        triggers = (
            Refuse(
                name="cooldown_lifts_are_append_only",
                operation=pgtrigger.Update | pgtrigger.Delete,
            ),
        )

    def __str__(self) -> str:
        return self.reason

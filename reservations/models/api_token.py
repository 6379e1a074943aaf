import re

import pgtrigger
from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from allo.postgresql.triggers import Refuse
from allo.web.names import name_is_visible


def rate_is_known(rate: str) -> None:
    if not re.fullmatch(r"off|[1-9]\d{0,5}/[smh]", rate):
        raise ValidationError('Give "600/m", "20/s", "5000/h" or "off".')


class ApiToken(models.Model):
    """The API token of a merchant's system. Only a hash of the secret is stored; a plain hash is
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

from datetime import timedelta

import pgtrigger
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from allo.outbox.addresses import LONGEST
from allo.postgresql.triggers import Refuse
from allo.web.own_pages import LONGEST_PAGE

LIFE = timedelta(minutes=10)
TRIES = 5


class EmailCode(models.Model):
    """A code that was sent to an address. Only the browser that asked can type it, known by the
    digest of a cookie of its own."""

    class Purpose(models.TextChoices):
        SIGN_IN = "sign_in"
        OLD_ADDRESS = "old_address"
        NEW_ADDRESS = "new_address"
        ORDER = "order"

    # Random: the code is made from it.
    id = models.UUIDField(primary_key=True, editable=False)
    purpose = models.CharField(max_length=11, choices=Purpose)
    browser = models.CharField(max_length=64)
    email = models.CharField(max_length=LONGEST, help_text="As it was typed.")
    email_key = models.CharField(max_length=LONGEST)
    network = models.CharField(
        max_length=43, blank=True, default="", db_default="", help_text="It was asked for from."
    )
    about = models.CharField(
        max_length=LONGEST_PAGE,
        blank=True,
        default="",
        help_text="What it is good for: the page that it leads to, or what it confirms.",
    )
    asked_at = models.DateTimeField(db_default=Now(), editable=False)
    ends_at = models.DateTimeField(db_default=Now() + LIFE, editable=False)
    tries = models.PositiveSmallIntegerField(default=0, db_default=0)
    used_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-asked_at",)
        # No member of staff sees codes, nor that there are any.
        default_permissions = ()
        constraints = (
            models.CheckConstraint(condition=Q(tries__lte=TRIES), name="code_has_five_tries"),
        )
        triggers = (
            Refuse(
                name="used_code_is_used",
                operation=pgtrigger.Update,
                condition=pgtrigger.Q(old__used_at__isnull=False),
            ),
        )
        indexes = (
            models.Index(fields=("email_key", "-asked_at"), name="code_by_address"),
            models.Index(fields=("browser", "-asked_at"), name="code_by_browser"),
            models.Index(fields=("asked_at",), name="code_by_time"),
        )

    def __str__(self) -> str:
        return f"Code {self.purpose}"

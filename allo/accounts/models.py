import pgtrigger
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import models
from django.db.models.functions import Now

from allo.outbox.addresses import LONGEST
from allo.postgresql.triggers import Refuse

LONGEST_DEVICE = 60


class Account(models.Model):
    """A shopper who proved an e-mail address. `user` has no password and a random name; its `email`
    is the address as it was typed."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, primary_key=True)
    email_key = models.CharField(
        max_length=LONGEST, unique=True, help_text="The same for all spellings of the address."
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ("-created_at",)
        default_permissions = ("view",)
        indexes = (models.Index(fields=("-created_at",), name="account_by_time"),)

    def __str__(self) -> str:
        """Without the address, as logs may keep this."""
        return f"Account {self.pk}"

    @property
    def holder(self) -> str:
        """Its name as a holder of reservations."""
        return f"user:{self.pk}"


class SignIn(models.Model):
    """A browser that is signed in; it ends with its session."""

    account = models.ForeignKey(Account, models.CASCADE, related_name="sign_ins")
    session = models.OneToOneField(Session, models.CASCADE, related_name="sign_in")
    device = models.CharField(max_length=LONGEST_DEVICE, help_text="In words.")
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ("-at",)
        # A session's key opens the account: nobody of the staff sees these rows.
        default_permissions = ()

    def __str__(self) -> str:
        return self.device


class DeletedAccount(models.Model):
    """That there was an account, and when it was deleted. Its number is that of its user, and names
    nobody any more."""

    number = models.PositiveBigIntegerField(primary_key=True)
    made_at = models.DateTimeField()
    deleted_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ("-deleted_at",)
        default_permissions = ("view",)
        indexes = (models.Index(fields=("-deleted_at",), name="deleted_account_by_time"),)
        triggers = (
            Refuse(name="deleted_accounts_are_kept", operation=pgtrigger.Update | pgtrigger.Delete),
        )

    def __str__(self) -> str:
        return f"Account {self.number}"

import pgtrigger
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from allo.postgresql.triggers import Refuse


class AdoptedHolder(models.Model):
    """A browser in which somebody signed in: its holder's reservations are the account's.

    Pending ones got the account as their holder. Those that have ended keep theirs, and count as
    the account's because of this row. It stays with the first account that signed in.
    """

    holder = models.CharField(max_length=80, primary_key=True)
    account = models.CharField(max_length=80, help_text="As in reservations: user:…")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        default_permissions = ()
        constraints = (
            models.CheckConstraint(condition=~Q(holder=F("account")), name="adopted_by_another"),
        )
        indexes = (models.Index(fields=("account", "-created_at"), name="adopted_by_account"),)
        triggers = (Refuse(name="adopted_once", operation=pgtrigger.Update),)

    def __str__(self) -> str:
        return f"{self.holder} is {self.account}"

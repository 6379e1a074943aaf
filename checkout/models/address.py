from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from checkout.models.order import PIN, IsComposed
from checkout.models.order_triggers import ADDRESS

# What a buyer types about themselves and where it is sent, without the e-mail address.
SAVED = ("name", "phone", *ADDRESS)


class Address(models.Model):
    """An address that an account has saved, whole and valid. It is offered at the account's next
    purchase."""

    account = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="addresses", db_index=False
    )
    name = models.CharField(max_length=120)
    phone = models.CharField(max_length=40)
    line1 = models.CharField("address", max_length=120)
    line2 = models.CharField("second line", max_length=120, blank=True, default="", db_default="")
    city = models.CharField(max_length=80)
    region = models.CharField("state", max_length=2)
    pin = models.CharField("PIN", max_length=10)
    used_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ("-used_at", "-pk")
        # Staff see addresses only in orders.
        default_permissions = ()
        constraints = (
            # It begins with the account, by which addresses are looked up.
            models.UniqueConstraint(fields=("account", *SAVED), name="address_is_saved_once"),
            models.CheckConstraint(
                condition=~Q(name="")
                & ~Q(phone="")
                & ~Q(line1="")
                & ~Q(city="")
                & Q(region__regex="^[A-Z]{2}$", pin__regex=PIN),
                name="saved_address_is_whole",
            ),
            models.CheckConstraint(
                condition=Q(
                    IsComposed("name"), IsComposed("line1"), IsComposed("line2"), IsComposed("city")
                ),
                name="saved_address_is_nfc",
            ),
        )

    def __str__(self) -> str:
        """Without the address, as this may be in logs."""
        return f"Address {self.pk}"

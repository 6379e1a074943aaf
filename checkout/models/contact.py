"""The contact that a shopper gives at the checkout."""

import pgtrigger
from django.db import models
from django.db.models.functions import Now, Upper

from allo.postgresql.indexes import OpClass
from allo.postgresql.triggers import REFUSE, RefuseUnless
from reservations.models import Reservation

# How long the database keeps a buyer, whatever `ORDER_RETENTION_YEARS` says.
KEPT_BY_LAW = "1 year"

# The lock waits for a running confirmation, so that its result is read.
SOLD_CONTACT_IS_FINAL = f"""
    PERFORM FROM reservations_reservation
        WHERE id IN (OLD.reservation_id, NEW.reservation_id) ORDER BY id FOR SHARE;
    IF EXISTS (
        SELECT FROM reservations_reservation
        WHERE id IN (OLD.reservation_id, NEW.reservation_id) AND status = 'confirmed'
            AND (TG_OP <> 'DELETE' OR ended_at > now() - interval '{KEPT_BY_LAW}')
    ) THEN {REFUSE.format(name="sold_contact_is_final")}
    END IF;
    RETURN coalesce(NEW, OLD);
"""


class Contact(models.Model):
    """A draft as typed, perhaps invalid, until the reservation is confirmed; then the contact of
    the confirming form, which is final. Written in `checkout.contacts`."""

    class Delivery(models.TextChoices):
        SEND = "send", "Send it to me"
        COLLECT = "collect", "I collect it at the warehouse"

    reservation = models.OneToOneField(Reservation, models.PROTECT, primary_key=True)
    name = models.CharField(max_length=120, blank=True)
    email = models.CharField("e-mail", max_length=254, blank=True)
    phone = models.CharField(max_length=40, blank=True, default="", db_default="")
    delivery = models.CharField(
        max_length=7, choices=Delivery, blank=True, default="", db_default=""
    )
    line1 = models.CharField("address", max_length=120, blank=True, default="", db_default="")
    line2 = models.CharField("second line", max_length=120, blank=True, default="", db_default="")
    city = models.CharField(max_length=80, blank=True, default="", db_default="")
    region = models.CharField("state", max_length=2, blank=True, default="", db_default="")
    pin = models.CharField("PIN", max_length=10, blank=True, default="", db_default="")
    changed_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ("-changed_at",)
        # For staff, who list the latest and search by e-mail or the beginning of a name. The
        # expressions are those of `iexact` and `istartswith`. Holds write to none of these.
        indexes = (
            models.Index(Upper("email"), name="contact_by_email"),
            models.Index(OpClass(Upper("name"), "text_pattern_ops"), name="contact_by_name"),
            models.Index(fields=("-changed_at",), name="contact_by_time"),
        )
        triggers = (
            pgtrigger.Trigger(
                name="sold_contact_is_final",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert | pgtrigger.Update | pgtrigger.Delete,
                func=SOLD_CONTACT_IS_FINAL,
            ),
            RefuseUnless(
                name="draft_of_a_live_hold_is_kept",
                operation=pgtrigger.Delete,
                fact="EXISTS (SELECT FROM reservations_reservation"
                " WHERE id = OLD.reservation_id AND ended_at IS NOT NULL)",
            ),
        )

    def __str__(self) -> str:
        return self.name

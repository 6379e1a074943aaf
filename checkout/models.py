"""The contact that a shopper gives at the checkout."""

import pgtrigger
from django.db import models
from django.db.models import Case, QuerySet, Value, When
from django.db.models.functions import Now, Upper

from allo.postgresql.indexes import OpClass
from allo.postgresql.triggers import REFUSE
from reservations.models import Reservation

# The lock waits for a running confirmation, so that its result is read.
SOLD_CONTACT_IS_FINAL = f"""
    PERFORM FROM reservations_reservation
        WHERE id IN (OLD.reservation_id, NEW.reservation_id) ORDER BY id FOR SHARE;
    IF EXISTS (
        SELECT FROM reservations_reservation
        WHERE id IN (OLD.reservation_id, NEW.reservation_id) AND status = 'confirmed'
    ) THEN {REFUSE.format(name="sold_contact_is_final")}
    END IF;
    RETURN coalesce(NEW, OLD);
"""


# So many of a holder's latest reservations are looked at for a contact.
LATEST = 20


class ContactQuerySet(QuerySet["Contact"]):
    def for_page_of(self, reservation: Reservation) -> "Contact | None":
        """The reservation's own, else what its holder typed last for one of the latest holds: it
        outlives an expired one."""
        own_first = Case(When(reservation=reservation, then=Value(0)), default=Value(1))
        own = Reservation.objects.filter(pk=reservation.pk).order_by().values("pk")
        of_holder = Reservation.objects.filter(holder=reservation.holder).order_by("-created_at")
        looked_at = own.union(of_holder.values("pk")[:LATEST], all=True)
        return self.filter(reservation__in=looked_at).order_by(own_first, "-changed_at").first()


class Contact(models.Model):
    """A draft as typed, perhaps invalid, until the reservation is confirmed. From then on it is the
    confirming form's, and final. Written in `checkout.contacts`."""

    reservation = models.OneToOneField(Reservation, models.PROTECT, primary_key=True)
    name = models.CharField(max_length=120, blank=True)
    email = models.CharField("e-mail", max_length=254, blank=True)
    changed_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = ContactQuerySet.as_manager()

    class Meta:
        ordering = ("-changed_at",)
        # Staff look at the latest, and search by e-mail and by how a name begins; as `iexact` and
        # `istartswith` compare. Written when a form is typed or sent, never with a hold.
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
        )

    def __str__(self) -> str:
        return self.name

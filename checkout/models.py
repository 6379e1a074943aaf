"""What a shopper tells the shop on the way to paying."""

from django.db import models
from django.db.models import Case, QuerySet, Value, When
from django.db.models.functions import Now, Upper

from reservations.models import Reservation


class ContactQuerySet(QuerySet["Contact"]):
    def for_page_of(self, reservation: Reservation) -> "Contact | None":
        """The reservation's own, else what its holder typed last: it outlives an expired hold."""
        own_first = Case(When(reservation=reservation, then=Value(0)), default=Value(1))
        of_holder = self.filter(reservation__holder=reservation.holder)
        return of_holder.order_by(own_first, "-changed_at").first()


class Contact(models.Model):
    """As it was typed: a draft, perhaps not valid, until the reservation is confirmed."""

    reservation = models.OneToOneField(Reservation, models.PROTECT, primary_key=True)
    name = models.CharField(max_length=120, blank=True)
    email = models.CharField("e-mail", max_length=254, blank=True)
    changed_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = ContactQuerySet.as_manager()

    class Meta:
        ordering = ("-changed_at",)
        # Staff search by e-mail; as `iexact` compares.
        indexes = (models.Index(Upper("email"), name="contact_by_email"),)

    def __str__(self) -> str:
        return self.name

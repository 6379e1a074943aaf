"""Reads and writes contacts: drafts while they are typed, and the final one with the sale."""

from typing import NamedTuple
from uuid import UUID

from django.db import connection
from django.db.models import Case, QuerySet, Value, When

from allo.postgresql.compiled import Compiled
from checkout.models import Contact
from reservations.engine.books import Also
from reservations.models import Reservation

# The lock waits for a running confirmation and then reads the row again, so a late draft finds the
# reservation confirmed and writes nothing.
KEEP = """
    INSERT INTO checkout_contact (reservation_id, name, email, changed_at)
    SELECT held.id, typed.name, typed.email, clock_timestamp()
    FROM unnest(%s::uuid[], %s::text[], %s::text[]) AS typed(id, name, email)
    JOIN reservations_reservation AS held USING (id)
    WHERE held.status <> 'confirmed'
    FOR SHARE OF held
    ON CONFLICT (reservation_id) DO UPDATE
    SET name = excluded.name, email = excluded.email, changed_at = excluded.changed_at
"""


# The number of a holder's latest reservations that are searched for a contact.
LATEST = 20


class Typed(NamedTuple):
    """What a shopper typed at a reservation's checkout, cut to the columns' lengths."""

    reservation_id: UUID
    name: str
    email: str


def keep(typed: Typed) -> None:
    """Stores a draft. A confirmed reservation keeps the contact it was sold with."""
    with connection.cursor() as cursor:
        cursor.execute(KEEP, [[value] for value in typed])


def with_sale(typed: Typed) -> Also:
    """The statement that stores the contact in the transaction of the confirmation."""
    return Also(KEEP, typed)


def for_page_of(reservation: Reservation) -> Contact | None:
    """The reservation's own contact, else the last that its holder typed for one of the latest
    reservations, so that it survives an expired hold."""
    return _last_typed.first(reservation.pk, reservation.holder)


def _own_first(reservation: UUID, holder: str) -> QuerySet[Contact]:
    own_first = Case(When(reservation=reservation, then=Value(0)), default=Value(1))
    own = Reservation.objects.filter(pk=reservation).order_by().values("pk")
    of_holder = Reservation.objects.filter(holder=holder).order_by("-created_at")
    looked_at = own.union(of_holder.values("pk")[:LATEST], all=True)
    found = Contact.objects.filter(reservation__in=looked_at)
    return found.order_by(own_first, "-changed_at")[:1]


_last_typed = Compiled(_own_first, UUID, str)

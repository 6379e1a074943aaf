"""Reads and writes contacts: drafts while they are typed, and the final one with the sale."""

from typing import NamedTuple
from uuid import UUID

from django.db import connection
from django.db.models import Case, QuerySet, Value, When

from allo.postgresql.compiled import Compiled
from checkout.models import Contact
from reservations.engine.also import Also
from reservations.models import Reservation

# The lock waits for a running confirmation and then reads the row again, so a late draft finds the
# reservation confirmed and writes nothing. A draft that comes days after the end is not written
# either, since the clock has already passed it when it forgets drafts.
_KEEP = """
    INSERT INTO checkout_contact (reservation_id, {columns}, changed_at)
    SELECT held.id, {typed}, clock_timestamp()
    FROM unnest(%s::uuid[], {arrays}) AS typed(id, {columns})
    JOIN reservations_reservation AS held USING (id)
    WHERE held.status <> 'confirmed'
        AND (held.ended_at IS NULL OR held.ended_at > clock_timestamp() - interval '1 day')
    FOR SHARE OF held
    ON CONFLICT (reservation_id) DO UPDATE
    SET ({columns}, changed_at) = ROW({excluded}, excluded.changed_at)
"""

# The number of a holder's latest reservations that are searched for a contact.
LATEST = 20


class Typed(NamedTuple):
    """What a shopper typed at the checkout of a reservation, cut to the lengths of the columns."""

    reservation_id: UUID
    name: str = ""
    email: str = ""
    phone: str = ""
    delivery: str = ""
    line1: str = ""
    line2: str = ""
    city: str = ""
    region: str = ""
    pin: str = ""


FIELDS = Typed._fields[1:]
KEEP = _KEEP.format(
    columns=", ".join(FIELDS),
    typed=", ".join(f"typed.{field}" for field in FIELDS),
    arrays=", ".join(["%s::text[]"] * len(FIELDS)),
    excluded=", ".join(f"excluded.{field}" for field in FIELDS),
)


def keep(*typed: Typed) -> None:
    """Stores drafts. The contact of a confirmed reservation does not change."""
    if typed:
        with connection.cursor() as cursor:
            cursor.execute(KEEP, [list(values) for values in zip(*typed, strict=True)])


def also(typed: Typed) -> Also:
    """`keep`, in the transaction of an order."""
    return Also(KEEP, typed, rank=3)


def for_page_of(reservation: Reservation) -> Contact | None:
    """The reservation's own contact, or else the last one that its holder typed for one of the
    latest reservations: so what was typed survives an expired hold."""
    return _last_typed.first(reservation.pk, reservation.holder)


def _own_first(reservation: UUID, holder: str) -> QuerySet[Contact]:
    own_first = Case(When(reservation=reservation, then=Value(0)), default=Value(1))
    own = Reservation.objects.filter(pk=reservation).order_by().values("pk")
    of_holder = Reservation.objects.filter(holder=holder).order_by("-created_at")
    looked_at = own.union(of_holder.values("pk")[:LATEST], all=True)
    found = Contact.objects.filter(reservation__in=looked_at)
    return found.order_by(own_first, "-changed_at")[:1]


_last_typed = Compiled(_own_first, UUID, str)

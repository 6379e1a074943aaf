"""Writes contacts: drafts while they are typed, and the final one with the sale."""

from typing import NamedTuple
from uuid import UUID

from django.db import connection

from reservations.engine.books import Also

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
    return KEEP, typed

"""What webhooks are told of a transaction: the reservations as each command left them.

Told roughly, as rows are locked meanwhile: of a reservation only what changes, with numbers for
times, as to write these as text takes longest. `read` adds the rest when it is fanned out.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from allo.live.message import EPOCH, MICROSECOND, micros
from allo.outbox.hooks import writing
from allo.outbox.hooks.catalogue import Whole
from allo.postgresql.trips import Statement
from reservations.engine.events import Happened
from reservations.facts import facts, instant
from reservations.models import Reservation

# A hold that staff extended, or that is on an order, lasts longer: that is a change too.
KINDS = {
    Happened.CREATED: "reservation.created",
    Happened.CHANGED: "reservation.changed",
    Happened.EXTENDED: "reservation.changed",
    Happened.PAYING: "reservation.changed",
    Happened.RENEWED: "reservation.renewed",
    Happened.CONFIRMED: "reservation.confirmed",
    Happened.RELEASED: "reservation.released",
    Happened.EXPIRED: "reservation.expired",
}
OFFER_MADE = "offer.made"
TOLD_BY = "reservations"
# Of a reservation, these stay: with the names that programs know its product and warehouse by.
STAYS = (
    "name", "unit_paise", "created_at", "inventory__product__slug", "inventory__warehouse__code",
)  # fmt: skip


class Telling:
    """Collects the events that some webhook wants; without one it costs a look into a list."""

    def __init__(self, wanted: Collection[str] = ()) -> None:
        self.wanted = wanted
        self._told: list[tuple[Any, ...]] = []

    def note(self, happened: Happened, of: Reservation, at: datetime) -> None:
        if self.wanted and (kind := KINDS.get(happened)):
            self.tell(kind, of, at)

    def tell(self, kind: str, of: Reservation, at: datetime) -> None:
        """As it is now: the next command of the batch may change it."""
        if kind in self.wanted:
            self._told.append((
                kind, of.id.hex, micros(at), of.status, of.quantity, micros(of.expires_at),
                of.ended_at and micros(of.ended_at), of.withdrawn, of.renewals,
            ))  # fmt: skip

    def statements(self) -> Iterator[Statement]:
        if self._told:
            yield writing.rough(TOLD_BY, self._told)


def read(told: Sequence[Sequence[Any]]) -> Iterator[Whole]:
    """The events of what `Telling` told. Reservations are never deleted."""
    ids = {pk for _, pk, *_ in told}
    known = {pk.hex: stays for pk, *stays in _stays(ids)}
    for kind, pk, at, status, quantity, expires_at, ended_at, withdrawn, renewals in told:
        name, unit_paise, created_at, product, warehouse = known[pk]
        reservation = Reservation(
            id=UUID(pk), name=name, unit_paise=unit_paise, created_at=created_at, status=status,
            quantity=quantity, expires_at=_time(expires_at),
            ended_at=ended_at and _time(ended_at), withdrawn=withdrawn, renewals=renewals,
        )  # fmt: skip
        happened = facts(reservation, product, warehouse)
        yield Whole(kind, str(reservation.id), instant(_time(at)), happened)


def _stays(ids: Collection[str]) -> Iterator[tuple[Any, ...]]:
    return Reservation.objects.filter(pk__in=ids).values_list("pk", *STAYS).iterator()


def _time(micros: int) -> datetime:
    return EPOCH + micros * MICROSECOND

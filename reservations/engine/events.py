"""The events of reservations, from which live updates are made."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from hashlib import blake2b
from uuid import UUID

from django.conf import settings

from allo.live.message import Message, micros


class Happened(StrEnum):
    CREATED = "created"
    CHANGED = "changed"  # its quantity
    RENEWED = "renewed"
    EXTENDED = "extended"
    PAYING = "paying"  # it is on an open order now
    NOT_PAYING = "not_paying"  # that order was dropped
    ADOPTED = "adopted"  # by the account that signed in
    CONFIRMED = "confirmed"
    RELEASED = "released"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class ReservationEvent:
    happened: Happened
    reservation: UUID
    holder: str
    at: datetime
    before: str = ""  # the holder until now, if that has changed

    @property
    def messages(self) -> tuple[Message, ...]:
        # No page shows a new hold yet.
        new = self.happened is Happened.CREATED
        own = () if new else (reservation_topic(self.reservation),)
        at = micros(self.at)
        holders = map(holder_topic, filter(None, (self.holder, self.before)))
        return tuple(Message(topic, at) for topic in (*holders, *own))


def reservation_topic(pk: UUID) -> str:
    return f"reservation:{pk}"


def holder_topic(holder: str) -> str:
    """A hash: a holder's name is secret, and pages contain the topics that they listen to."""
    return f"holder:{blake2b(holder.encode(), key=_key(), digest_size=12).hexdigest()}"


@lru_cache(maxsize=1)
def _key() -> bytes:
    return blake2b(settings.SECRET_KEY.encode(), person=b"allo.holder").digest()

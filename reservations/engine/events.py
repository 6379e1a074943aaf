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
    CONFIRMED = "confirmed"
    RELEASED = "released"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class ReservationEvent:
    happened: Happened
    reservation: UUID
    holder: str
    at: datetime

    @property
    def messages(self) -> tuple[Message, ...]:
        # No page shows a new hold yet.
        new = self.happened is Happened.CREATED
        own = () if new else (reservation_topic(self.reservation),)
        at = micros(self.at)
        return tuple(Message(topic, at) for topic in (holder_topic(self.holder), *own))


def reservation_topic(pk: UUID) -> str:
    return f"reservation:{pk}"


def holder_topic(holder: str) -> str:
    """A hash: a holder's name is secret, and pages contain the topics that they listen to."""
    return f"holder:{blake2b(holder.encode(), key=_key(), digest_size=12).hexdigest()}"


@lru_cache(maxsize=1)
def _key() -> bytes:
    return blake2b(settings.SECRET_KEY.encode(), person=b"allo.holder").digest()

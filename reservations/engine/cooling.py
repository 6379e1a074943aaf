"""Holds that ended unpaid: when their holder may hold that product again, and what share of it is
left to their network. Plain code, as `reservations.engine.commands`."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from django.conf import settings

from reservations.models import Reservation

Status = Reservation.Status

REMEMBERED = timedelta(hours=24)
# One that is given back sooner was a mistake, or a change of mind.
SOON = timedelta(seconds=60)
# One hold may end unpaid by bad luck.
UNPAID_AT_LEAST = 2


class Past(NamedTuple):
    """A reservation of the past, or a pending one."""

    row: int
    status: str
    created_at: datetime
    ended_at: datetime | None
    withdrawn: str
    provider_failed: bool


@dataclass(slots=True)
class History:
    """Of one holder: the last reservations, and when staff last lifted a cool-down."""

    bought: bool = False
    lifted_at: datetime | None = None
    past: list[Past] = field(default_factory=list)


class Cooling(NamedTuple):
    unpaid: int
    until: datetime


def cooling(histories: Iterable[History], rows: Collection[int], now: datetime) -> Cooling | None:
    """Until when a person with these histories may not hold the product with these rows; None if
    they may."""
    minutes: list[int] = settings.RESERVATION_COOL_DOWN_MINUTES
    ends = _unpaid_since_a_purchase(list(histories), rows, now)
    if not minutes or len(ends) < UNPAID_AT_LEAST:
        return None
    wait = minutes[min(len(ends) - UNPAID_AT_LEAST, len(minutes) - 1)]
    until = max(ends) + timedelta(minutes=wait)
    return Cooling(len(ends), until) if until > now else None


def _unpaid_since_a_purchase(
    histories: list[History], rows: Collection[int], now: datetime
) -> list[datetime]:
    past = [each for history in histories for each in history.past]
    bought_at = (e.ended_at for e in past if e.ended_at and e.status == Status.CONFIRMED)
    lifted_at = (history.lifted_at for history in histories if history.lifted_at)
    since = max([now - REMEMBERED, *bought_at, *lifted_at])
    ends = [each.ended_at for each in past if each.row in rows and is_unpaid(each)]
    return [ended_at for ended_at in ends if ended_at and ended_at > since]


def is_unpaid(past: Past) -> bool:
    """Expired, or given back by its holder after a while, though it could have been paid."""
    if past.ended_at is None or past.withdrawn or past.provider_failed:
        return False
    late = past.ended_at - past.created_at >= SOON
    return past.status == Status.EXPIRED or (past.status == Status.RELEASED and late)


def share_left(share: int, unpaid: int) -> int:
    """Of a network's share of a product, after so many unpaid holds of it."""
    each: int = settings.RESERVATION_UNPAID_PER_HALVING
    return max(share >> (unpaid // each), 1) if each else share

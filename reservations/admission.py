"""The rules of waiting rooms. A product with an opening has one from `ROOM_OPENS_BEFORE_SECONDS`
before it until all is sold, nobody waits any more, or `ROOM_LASTS_SECONDS` after it.

A room bounds how many reserve at once, and decides nothing that the books decide. Without Redis
there is no room, and all limits hold."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone
from redis import RedisError
from redis.client import Pipeline

from allo.live import tallies
from allo.live.message import MICROSECOND
from allo.live.rooms import store
from allo.live.rooms.answers import Numbers
from allo.live.rooms.passes import Ticket
from allo.live.rooms.store import Guard
from catalog.models import Product
from reservations.engine.idempotency import Once
from reservations.engine.refused import tally_of
from reservations.engine.storage import stored_reply
from reservations.exceptions import WaitingRoom
from reservations.list_exceptions import RoomFirst

logger = logging.getLogger(__name__)


def room_opens_at(opens_at: datetime) -> datetime:
    return opens_at - timedelta(seconds=settings.ROOM_OPENS_BEFORE_SECONDS)


def has_room(opens_at: datetime | None) -> bool:
    """Whether a product with this opening may have a room now."""
    return opens_at is not None and room_opens_at(opens_at) <= timezone.now() and not ends(opens_at)


def ends(opens_at: datetime) -> bool:
    """Whether no product with this opening has a room any more."""
    lasts = timedelta(seconds=settings.ROOM_LASTS_SECONDS)
    return not lasts or opens_at + lasts <= timezone.now()


@dataclass
class Door:
    """Whether a shopper may reserve, looked up in Redis in the same trip as the rate limit. The
    `ticket` is the shopper's own, and its signature holds."""

    room: int
    opens_at: datetime
    ticket: Ticket | None = None
    says: Guard = field(default="none", init=False)

    def ask(self, pipeline: Pipeline) -> None:
        store.queue(store.check(self.room, self.ticket), pipeline)

    def hear(self, answers: list[Any]) -> None:
        (answer,) = answers
        if isinstance(answer, Exception):
            logger.error("no waiting room: %s", answer)
        else:
            self.says = store.check(self.room, self.ticket).read(answer)

    @property
    def is_shut(self) -> bool:
        return self.says in {"wait", "over"}

    def knock(self) -> bool:
        """Asks by itself; whether it is shut."""
        try:
            self.says = store.run(store.check(self.room, self.ticket))
        except RedisError as error:
            logger.warning("no waiting room: %s", type(error).__name__)
        return self.is_shut

    def admit(self, once: Once | None) -> None:
        """Raises `WaitingRoom` if it is shut, but not for a retry of what went through it, which
        gets the stored answer."""
        if self.is_shut and not (self.says == "over" and once and stored_reply(once)):
            tallies.add({(tally_of(self.room, self.opens_at), WaitingRoom.code): 1})
            raise WaitingRoom(used=self.says == "over")

    @property
    def turn_ends(self) -> datetime | None:
        """Until when an admitted shopper may reserve."""
        if self.ticket is None or self.says != "in":
            return None
        return datetime.fromtimestamp(self.ticket.ends, UTC)

    def passed(self, units: int) -> None:
        """The ticket ends: these units were held with it."""
        if self.ticket is None or self.says != "in":
            return
        try:
            store.run(store.used(self.ticket, units=units))
        except RedisError as error:
            logger.warning("a ticket that was used is not ended: %s", type(error).__name__)


def is_waited_for(product: Product) -> bool:
    """Whether anybody waits for it in a room that is open: what is given back goes to them."""
    return is_line(room_numbers(product))


def is_line(numbers: Numbers | None) -> bool:
    return numbers is not None and numbers.phase != "closed" and numbers.waiting > 0


def check_list(product: Product) -> None:
    """Whether one may join its waiting list. Raises `RoomFirst`. To be called before the
    transaction: Redis may be slow, and nothing is locked meanwhile."""
    if has_room(product.opens_at) and is_waited_for(product):
        raise RoomFirst


def kept_place(room: int, names: Iterable[str]) -> datetime | None:
    """Of somebody with one of these names who was in the room until all was taken: the moment since
    when this shopper waits. They all do since the room's end, a microsecond apart, in its order; so
    nobody who joins the list later is before any of them."""
    try:
        kept = store.run(store.kept(room, names))
    except RedisError as error:
        logger.warning("no place of a waiting room is known: %s", type(error).__name__)
        return None
    return kept and kept.closed_at - (kept.places - kept.rank) * MICROSECOND


def room_numbers(product: Product) -> Numbers | None:
    """How many wait, were let in, and so on; None without a room."""
    try:
        return store.run(store.numbers(product.pk))
    except RedisError:
        return None

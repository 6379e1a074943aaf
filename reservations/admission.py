"""The rules of waiting rooms. A product with an opening has one from `ROOM_OPENS_BEFORE_SECONDS`
before it until all is sold, nobody waits any more, or `ROOM_LASTS_SECONDS` after it.

A room only bounds how many reserve at once: stock and limits are decided under the engine's locks.
Without Redis there is no room, and all limits hold."""

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
from reservations.exceptions import IdempotencyConflict, WaitingRoom
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
class Entrance:
    """The check at a waiting room: whether this shopper may reserve. The page asks Redis in the
    same trip as for the rate limit. The `ticket` is the shopper's, with a valid signature."""

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
    def is_closed(self) -> bool:
        return self.says in {"wait", "over"}

    def look_up(self) -> bool:
        """In a trip of its own; returns whether it is closed."""
        try:
            self.says = store.run(store.check(self.room, self.ticket))
        except RedisError as error:
            logger.warning("no waiting room: %s", type(error).__name__)
        return self.is_closed

    def check(self, once: Once | None) -> None:
        """Raises `WaitingRoom` if it is closed, except for the key of a call that was let through:
        a retry gets the stored answer, and another request is refused as that."""
        if self.is_closed and not (self.says == "over" and once and _is_stored(once)):
            tallies.add({(tally_of(self.room, self.opens_at), WaitingRoom.code): 1})
            raise WaitingRoom(used=self.says == "over")

    @property
    def turn_ends(self) -> datetime | None:
        """Until when an admitted shopper may reserve."""
        if self.ticket is None or self.says != "in":
            return None
        return datetime.fromtimestamp(self.ticket.ends, UTC)

    def use_ticket(self, units: int) -> None:
        """Ends the ticket, after so many units were held with it."""
        if self.ticket is None or self.says != "in":
            return
        try:
            store.run(store.used(self.ticket, units=units))
        except RedisError as error:
            logger.warning("a ticket that was used is not ended: %s", type(error).__name__)


def _is_stored(once: Once) -> bool:
    try:
        return stored_reply(once) is not None
    except IdempotencyConflict:
        return True


def is_waited_for(product: Product) -> bool:
    """Whether anybody waits for it in a room that is open: what is given back goes to them."""
    return is_line(room_numbers(product))


def is_line(numbers: Numbers | None) -> bool:
    return numbers is not None and numbers.phase != "closed" and numbers.waiting > 0


def check_list(product: Product) -> None:
    """Raises `RoomFirst` if one cannot join its waiting list yet. Call it before the transaction:
    Redis may be slow, and nothing must be locked meanwhile."""
    if has_room(product.opens_at) and is_waited_for(product):
        raise RoomFirst


def kept_place(room: int, names: Iterable[str]) -> datetime | None:
    """The place on the waiting list of a shopper, by one of these names, who was in the room until
    all was taken. Those in the room get the times just before its end, a microsecond apart, in its
    order. So nobody who joins the list later comes before them."""
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

"""A room's state in Redis: each call is one script, so it is done as a whole or not at all.

A call is made by one of `run` (threads), `run_async` (an event loop) and `queue` (a pipeline). They
raise `RedisError`, which callers have to handle: the shop goes on without rooms.
"""

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha1
from itertools import chain
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

from django.conf import settings
from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.client import Pipeline
from redis.exceptions import NoScriptError

from allo.live.rooms.answers import Kept, Numbers, Seen
from allo.live.rooms.passes import Place, Ticket, lot_of
from allo.redis_client import redis_client
from allo.web.address import with_around

SCRIPTS = Path(__file__).with_name("scripts")
# In the order in which `scripts/prelude.lua` names them; the first is the room itself.
KEYS = ("", ":line", ":here", ":let", ":done", ":nets", ":reports", ":page", ":drawn")
# For how long a closed room is kept, so that its page can say why it closed.
CLOSED_SECONDS = 24 * 3600
# The topic of messages to live processes about used tickets; no page listens to it.
USED = "used:"

Guard = Literal["none", "wait", "in", "over"]
T = TypeVar("T")


class Script:
    def __init__(self, name: str) -> None:
        self.text = "".join((SCRIPTS / f"{part}.lua").read_text() for part in ("prelude", name))
        self.digest = sha1(self.text.encode(), usedforsecurity=False).hexdigest()


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    script: Script
    room: int
    arguments: tuple[Any, ...]
    read: Callable[[Any], T]

    @property
    def rest(self) -> tuple[Any, ...]:
        """The arguments of EVALSHA after the script."""
        return len(KEYS), *(f"{{room:{self.room}}}{key}" for key in KEYS), *self.arguments


def run(call: Call[T], redis: Redis | None = None) -> T:
    redis = redis or redis_client()
    try:
        return call.read(redis.evalsha(call.script.digest, *call.rest))
    except NoScriptError:
        return call.read(redis.eval(call.script.text, *call.rest))


async def run_async(call: Call[T], redis: AsyncRedis) -> T:
    try:
        return call.read(await redis.evalsha(call.script.digest, *call.rest))
    except NoScriptError:
        return call.read(await redis.eval(call.script.text, *call.rest))


def queue(call: Call[Any], pipeline: Pipeline) -> None:
    """Pass its answer among those of the pipeline to `call.read`."""
    pipeline.eval(call.script.text, *call.rest)


# --- the room ------------------------------------------------------------------------------------


def open_room(
    room: int, *, opens_at: datetime, back: str, page: bytes, rate: float = 0
) -> Call[None]:
    """Opens the room, also again after `close`, or moves its opening; a second call changes
    nothing. If the opening had begun and is to come again, all who wait are drawn anew, and the
    places and tickets of before count no more. `back` is the address on the shop to which those
    with a ticket are sent, `page` is made by `page.render`, and `rate` is how many a new room lets
    in a second at first."""
    return _open(room, (repr(opens_at.timestamp()), back, page), (0, 0, 0, rate))


def open_lost(room: int, was: Numbers, page: bytes) -> Call[None]:
    """Opens it as it was, unless Redis knows it."""
    new = (1, was.supply, was.held, was.rate)
    return _open(room, (repr(was.opens_at), was.back, page), new)


def _open(
    room: int, opening: tuple[str, str, bytes], new: tuple[int, int, int, float]
) -> Call[None]:
    return Call(_OPEN, room, (*_told(room), *opening, secrets.token_hex(8), *new), _no)


def close(
    room: int,
    words: str,
    *,
    passing: bool = False,
    closed_at: datetime | None = None,
    onward: str = "",
) -> Call[None]:
    """Ends it. `words` tell those who wait why, in plain text. If the reason is `passing`, they go
    on waiting for it to open again. With `closed_at`, a moment by the caller's clock, those who are
    there keep their places for half an hour, to be used at the address `onward`: see `kept`."""
    moment = closed_at.isoformat() if closed_at else ""
    why = (words, CLOSED_SECONDS, "1" if passing else "", moment, onward)
    return Call(_CLOSE, room, (*_told(room), *why), _no)


def supply(room: int, *, free: int, held: int) -> Call[None]:
    """Sets the units that are free and those that are held. They may be a second old; `used` counts
    at once what is taken."""
    return Call(_SET, room, ("supply", free, "held", held), _no)


def report(room: int, process: str, *, p95_ms: float, busy: float) -> Call[None]:
    """The load of a process of the shop: how long its reservations take, and the share of its
    threads that work. Call it each second: without any report few are let in."""
    return Call(_REPORT, room, (process, p95_ms, busy), _no)


def step(room: int) -> Call[Numbers | None]:
    """Lets in whose turn it is; None for a room that Redis does not know."""
    return Call(_STEP, room, (*_told(room), 1), Numbers.read)


def numbers(room: int) -> Call[Numbers | None]:
    """The same without letting anybody in."""
    return Call(_STEP, room, (*_told(room), 0), Numbers.read)


# --- visitors ------------------------------------------------------------------------------------


def join(
    room: int, *, visitor: str, network: str, shown: Place | None = None
) -> Call[Place | None]:
    """A place for this visitor: the one there is, else the one `shown`, else a new one. None
    without an open room."""
    score, draw = (repr(shown.score), shown.draw) if shown else ("", "")
    lot = repr(lot_of(room, visitor))
    per_network = settings.ROOM_PLACES_PER_NETWORK
    networks = chain.from_iterable(with_around(network))

    def read(answer: list[bytes] | None) -> Place | None:
        if answer is None:
            return None
        score, draw = answer
        return Place(room, visitor, float(score), draw.decode())

    return Call(_JOIN, room, (visitor, score, draw, lot, per_network, *networks), read)


def seen(room: int, places: Iterable[Place]) -> Call[list[Seen] | None]:
    """Call it again and again for each open page: a place that was not seen for 45 seconds leaves
    the line, and is back with the next call. None for a room that Redis does not know."""
    shown = [it for place in places for it in (place.visitor, repr(place.score), place.draw)]
    return Call(_SEEN, room, (*shown,), lambda answer: answer and [*map(Seen.read, answer)])


def kept(room: int, names: Iterable[str]) -> Call[Kept | None]:
    """The place that a visitor kept when the room was closed, under the first of these names that
    has one. None for a visitor who was not there then, or was let in and has used that."""
    return Call(_KEPT, room, (*names,), Kept.read)


def check(room: int, ticket: Ticket | None) -> Call[Guard]:
    """Whether a visitor may reserve: "none" without an open room, "in" with a valid ticket, "over"
    with a used one, otherwise "wait"."""
    shown = (ticket.visitor, repr(ticket.score), ticket.ends) if ticket else ("", "", "")
    return Call(_CHECK, room, shown, lambda answer: answer.decode())


def used(ticket: Ticket, *, units: int) -> Call[None]:
    """After its first success a ticket ends."""
    told = settings.LIVE_CHANNEL, f"{USED}{ticket.room}"
    return Call(_USED, ticket.room, (*told, ticket.visitor, repr(ticket.score), units), _no)


def topic_of(room: int) -> str:
    return f"room:{room}"


def page_key(room: int) -> str:
    return f"{{room:{room}}}:page"


def _told(room: int) -> tuple[str, str]:
    return settings.LIVE_CHANNEL, topic_of(room)


def _no(_answer: Any) -> None:
    return None


_OPEN, _CLOSE, _SET, _REPORT = Script("open"), Script("close"), Script("set"), Script("report")
_JOIN, _SEEN, _CHECK, _USED = Script("join"), Script("seen"), Script("check"), Script("used")
_STEP, _KEPT = Script("step"), Script("kept")

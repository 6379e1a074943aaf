"""What one live process does for the rooms of its open pages: it reports which visitors are there,
calls `step`, and opens a room again that Redis has lost."""

import asyncio
import logging
import time
from asyncio import Future, Task
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from redis.asyncio import Redis
from redis.exceptions import RedisError

from allo.live.message import Message
from allo.live.rooms import store
from allo.live.rooms.answers import Numbers, Seen
from allo.live.rooms.passes import Place, Ticket
from allo.live.rooms.store import Call, run_async
from allo.redis_client import async_client

logger = logging.getLogger(__name__)

STEP_SECONDS = 0.25
# A third of the time after which a visitor counts as absent.
SEEN_SECONDS = 15.0
# At most in one call: Redis does nothing else meanwhile.
PLACES_AT_ONCE = 250
# A room without open pages is forgotten by this process after so long; Redis keeps it.
FORGOTTEN_SECONDS = 60.0
TIMEOUT_SECONDS = 1.0
MAX_CONNECTIONS, WAITING_SECONDS = 8, 10
T = TypeVar("T")
Look = tuple[Numbers, Seen] | None


class Open:
    """The open pages of one place."""

    __slots__ = ("pages", "place", "seen_at")

    def __init__(self, place: Place) -> None:
        self.place = place
        self.pages = 0
        self.seen_at = float("-inf")


class Room:
    def __init__(self, number: int) -> None:
        self.number = number
        # Redis's last answer.
        self.numbers: Numbers | None = None
        # The page, and its version.
        self.page, self.version = b"", ""
        self.touched_at = time.monotonic()
        # Requests that wait for what became of their place, and the task that answers them.
        self.asking: list[tuple[Place, Future[Look]]] = []
        self.answering: Task[None] | None = None
        # By visitor, those who were reported the longest ago first; and those who were not yet.
        self.open: dict[str, Open] = {}
        self.new: list[Open] = []
        # The tickets given out here.
        self.given: dict[str, Ticket] = {}

    def due(self) -> list[Open]:
        """Those who have to be reported now."""
        before = time.monotonic() - SEEN_SECONDS
        new, self.new = self.new[:PLACES_AT_ONCE], self.new[PLACES_AT_ONCE:]
        due = [one for one in new if one.pages]
        for one in self.open.values():
            if one.seen_at > before or len(due) >= PLACES_AT_ONCE:
                break
            due.append(one)
        return due

    def have_seen(self, ones: list[Open]) -> None:
        now = time.monotonic()
        for one in ones:
            if self.open.pop(one.place.visitor, None):  # moves it to the end
                self.open[one.place.visitor] = one
                one.seen_at = now

    def is_forgotten(self) -> bool:
        return not self.open and time.monotonic() - self.touched_at > FORGOTTEN_SECONDS


class Keeper:
    def __init__(self, redis_url: str) -> None:
        # At an opening thousands of pages come at once, and wait for a free connection. The steps
        # have a connection of their own, so they go on meanwhile.
        self._redis, self._steps = _client(redis_url, MAX_CONNECTIONS), _client(redis_url, 1)
        self._rooms: dict[int, Room] = {}
        self._complained = False

    async def run(self) -> None:
        """Steps until it is cancelled."""
        async with self._redis, self._steps:
            while True:
                await asyncio.sleep(STEP_SECONDS)
                try:
                    for room in list(self._rooms.values()):
                        await self._keep(room)
                    self._complained = False
                    self._forget()
                except (RedisError, OSError) as error:
                    self._complain(error)

    def _forget(self) -> None:
        for number in [number for number, room in self._rooms.items() if room.is_forgotten()]:
            del self._rooms[number]

    def room(self, number: int) -> Room:
        """What this process knows of it, which may be nothing yet."""
        room = self._rooms.setdefault(number, Room(number))
        room.touched_at = time.monotonic()
        return room

    async def look(self, place: Place) -> Look:
        """What became of the place; None if neither Redis nor this process knows the room. Raises
        `RedisError`."""
        room = self.room(place.room)
        answer: Future[Look] = asyncio.get_running_loop().create_future()
        room.asking.append((place, answer))
        if room.answering is None:
            room.answering = asyncio.create_task(self._answer(room))
        return await answer

    async def _answer(self, room: Room) -> None:
        """Answers in batches: requests that arrive during a call to Redis share the next one."""
        try:
            while asked := room.asking[:PLACES_AT_ONCE]:
                del room.asking[:PLACES_AT_ONCE]
                await self._answer_all(room, asked)
        finally:
            room.answering = None

    async def _answer_all(self, room: Room, asked: list[tuple[Place, Future[Look]]]) -> None:
        try:
            looks = await self._look(room, [place for place, _ in asked])
        except Exception as error:  # any error: no request may wait for ever
            for _, answer in asked:
                if not answer.done():  # its page has gone
                    answer.set_exception(error)
        else:
            for (_, answer), look in zip(asked, looks, strict=True):
                if not answer.done():
                    answer.set_result(look)

    async def _look(self, room: Room, places: list[Place]) -> list[Look]:
        found = await self._run(store.seen(room.number, places))
        if found is None and await self._build_again(room):
            found = await self._run(store.seen(room.number, places))
        # Those of the last step may be older than the change for which a page reloads.
        await self._take(room, await self._run(store.numbers(room.number)))
        if not (found and room.numbers and room.page):
            return [None] * len(places)
        return [(room.numbers, seen) for seen in found]

    def ticket(self, place: Place, seen: Seen) -> Ticket:
        ticket = Ticket(place.room, place.visitor, seen.score, seen.ends)
        self.room(place.room).given[place.visitor] = ticket
        return ticket

    def hear(self, messages: Iterable[Message]) -> None:
        """Remembers which tickets were used, in case Redis loses the room."""
        for message in messages:
            if message.topic.startswith(store.USED):
                given = self.room(int(message.topic.removeprefix(store.USED))).given
                if ticket := given.get(message.key):
                    given[message.key] = ticket._replace(ends=-abs(ticket.ends))

    @contextmanager
    def watching(self, place: Place) -> Iterator[None]:
        """Counts the visitor as present while a stream of this place is open."""
        room = self.room(place.room)
        one = room.open.setdefault(place.visitor, Open(place))
        room.new.append(one)
        one.pages += 1
        try:
            yield
        finally:
            one.pages -= 1
            if not one.pages:
                room.open.pop(place.visitor, None)

    # --- rooms ----------------------------------------------------------------------------------

    async def _keep(self, room: Room) -> None:
        numbers = await run_async(store.step(room.number), self._steps)
        if numbers is None and not await self._build_again(room):
            return
        await self._take(room, numbers)
        while due := room.due():
            await run_async(store.seen(room.number, [one.place for one in due]), self._steps)
            room.have_seen(due)

    async def _take(self, room: Room, numbers: Numbers | None) -> None:
        if numbers is None:
            return
        if room.version != numbers.version:
            page = await self._redis.get(store.page_key(room.number))
            if isinstance(page, bytes):
                room.page, room.version = page, numbers.version
        # After the page: requests that run meanwhile would use numbers whose page is not there yet.
        before, room.numbers = room.numbers, numbers
        if before and numbers.life != before.life:
            await self._bring_back(room)

    async def _build_again(self, room: Room) -> bool:
        """After Redis has lost the room; returns whether it is there again. A closed room is not
        needed any more, and one that this process never saw is left to others or to the shop."""
        was = room.numbers
        if was is None or was.phase == "closed":
            return False
        await self._run(store.open_lost(room.number, was, room.page))
        logger.warning("Redis lost room %d; it was opened again", room.number)
        # Before the places, so that nobody with a ticket gets into the line.
        await self._bring_back(room)
        return True

    async def _bring_back(self, room: Room) -> None:
        """After a loss: tells Redis who was let in, so that nobody is let in twice, and has all
        who wait reported anew."""
        for ticket in list(room.given.values()):
            await self._run(store.check(room.number, ticket))
        for one in room.open.values():
            one.seen_at = float("-inf")

    async def _run(self, call: Call[T]) -> T:
        return await run_async(call, self._redis)

    def _complain(self, error: Exception) -> None:
        if not self._complained:
            logger.warning("no visitor of a waiting room is let in: %s", type(error).__name__)
        self._complained = True


def _client(url: str, connections: int) -> Redis:
    return async_client(
        url,
        connect=TIMEOUT_SECONDS,
        answer=TIMEOUT_SECONDS,
        connections=connections,
        wait=WAITING_SECONDS,
    )

"""Who listens to what, in one process: from a topic that changed to every stream that waits for it.

Everything here runs on one event loop and never waits. Topics that change within `GATHER_SECONDS`
are told together, so however fast a drop sells, a stream carries a few small messages a second.
"""

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator

from allo.live.tokens import Listening

GATHER_SECONDS = 0.25
# What has changed is remembered this long: a page that was made a moment ago and listens only now
# is told what it missed, and need not ask for all of its parts once more.
REMEMBER_SECONDS = 30.0
# Clocks of the process that signed a token and of this one may differ, and tokens count seconds.
CLOCK_SECONDS = 2.0
# A reader this far behind is dropped.
QUEUE = 64
# So many of one kind at once are "all of them".
TOO_MANY = 100
# Pages told at once are asked to come one after the other, at most this many a second.
ASKING_PER_SECOND = 2000
LONGEST_SPREAD_MS = 5000

UP = b"event: up\ndata:\n\n"
DOWN = b"event: down\ndata:\n\n"
# The comment keeps proxies from closing a silent stream; the event tells the page that it lives.
BEAT = b": still here\n"


class Client:
    """One open stream: the messages that wait for it, and the gate at which it waits for them."""

    __slots__ = ("_closed", "_queue", "_wake", "task", "topics")

    def __init__(self, topics: frozenset[str]) -> None:
        self.topics = topics
        self.task = asyncio.current_task()
        self._queue: deque[bytes] = deque()
        self._wake: asyncio.Future[None] | None = None
        self._closed = False

    def put(self, message: bytes) -> None:
        if len(self._queue) >= QUEUE:
            self.drop()
        else:
            self._queue.append(message)
            self._ring()

    def close(self) -> None:
        """Ends the stream as it should end, after what it still has to say."""
        self._closed = True
        self._ring()

    def drop(self) -> None:
        if self.task:
            self.task.cancel()

    async def next(self) -> bytes:
        """What there is to say; nothing, at the end."""
        if not self._queue and not self._closed:
            self._wake = asyncio.get_running_loop().create_future()
            await self._wake
        message = b"".join(self._queue)
        self._queue.clear()
        return message

    def _ring(self) -> None:
        if self._wake and not self._wake.done():
            self._wake.set_result(None)


class Hub:
    def __init__(self) -> None:
        self.clients: set[Client] = set()
        self._listening: defaultdict[str, set[Client]] = defaultdict(set)
        self._gathered: set[str] = set()
        self._told_at = float("-inf")
        self._changed: dict[str, float] = {}
        # Since when nothing was missed, by this machine's clock; None while nothing is heard.
        self._hears_since: float | None = None

    # --- streams --------------------------------------------------------------------------------

    def join(self, listening: Listening) -> Client:
        client = Client(listening.topics)
        client.put(self._state + b"".join(self._missed(listening)))
        self.clients.add(client)
        for topic in client.topics:
            self._listening[topic].add(client)
        return client

    def leave(self, client: Client) -> None:
        self.clients.discard(client)
        for topic in client.topics:
            self._listening[topic].discard(client)
            if not self._listening[topic]:
                del self._listening[topic]

    def beat(self, clients: Iterable[Client]) -> None:
        for client in clients:
            client.put(BEAT + self._state)

    def close(self) -> None:
        for client in self.clients:
            client.close()

    @property
    def _state(self) -> bytes:
        return DOWN if self._hears_since is None else UP

    def _missed(self, listening: Listening) -> Iterator[bytes]:
        """What changed since the page was made; all of it might have, if that was long ago."""
        if self._hears_since is None:
            return
        since = listening.since - CLOCK_SECONDS
        if since < max(self._hears_since, time.time() - REMEMBER_SECONDS):
            yield told(["*"], len(self.clients))
        elif missed := [
            t for t, at in self._changed.items() if at >= since and _concerns(t, listening)
        ]:
            yield told(missed, 1)

    # --- what changes ---------------------------------------------------------------------------

    def up(self) -> None:
        """From now on nothing is missed; what was, nobody knows."""
        self._hears_since = time.time()
        self._changed.clear()
        for client in self.clients:
            client.put(UP + told(["*"], len(self.clients)))

    def down(self) -> None:
        if self._hears_since is not None:
            self._hears_since = None
            for client in self.clients:
                client.put(DOWN)

    def changed(self, topics: Iterable[str]) -> None:
        """At once if it was quiet, else with what else changes in a moment."""
        idle = not self._gathered
        self._gathered.update(topics)
        if idle:
            loop = asyncio.get_running_loop()
            loop.call_at(self._told_at + GATHER_SECONDS, self._tell)

    def _tell(self) -> None:
        topics, self._gathered = self._gathered, set()
        self._told_at = asyncio.get_running_loop().time()
        self._remember(topics)
        for topic in topics & self._listening.keys():
            self._say(topic, [topic])
        for kind, those in _by_kind(topics).items():
            everything = f"{kind}:*"
            self._say(everything, those if len(those) <= TOO_MANY else [everything])

    def _say(self, topic: str, topics: list[str]) -> None:
        if clients := self._listening.get(topic):
            message = told(topics, len(clients))
            for client in clients:
                client.put(message)

    def _remember(self, topics: Iterable[str]) -> None:
        now = time.time()
        for topic in topics:
            self._changed.pop(topic, None)  # what changed last stands last
            self._changed[topic] = now
        while self._changed:
            oldest = next(iter(self._changed))
            if now - self._changed[oldest] <= REMEMBER_SECONDS:
                break
            del self._changed[oldest]


def told(topics: Iterable[str], listeners: int) -> bytes:
    """A message: over how many milliseconds its readers are to spread their questions, and what
    changed ("*" is everything)."""
    spread = min(LONGEST_SPREAD_MS, listeners * 1000 // ASKING_PER_SECOND)
    return f"data: {spread} {' '.join(topics)}\n\n".encode()


def _concerns(topic: str, listening: Listening) -> bool:
    return topic in listening.topics or f"{topic.partition(':')[0]}:*" in listening.topics


def _by_kind(topics: Iterable[str]) -> dict[str, list[str]]:
    kinds = defaultdict(list)
    for topic in topics:
        kinds[topic.partition(":")[0]].append(topic)
    return kinds

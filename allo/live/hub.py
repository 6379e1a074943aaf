"""The subscriptions of one live process: from a topic that changed to every stream that listens to
it.

Everything here runs on one event loop and never blocks. Topics that change within `GATHER_SECONDS`
are sent in one message, so a stream carries a few small messages a second however fast a drop
sells.
"""

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator

from allo.live.tokens import Listening

GATHER_SECONDS = 0.25
# How long changes are remembered: a page that was rendered a moment before its stream opened gets
# what it missed, and does not have to request all of its parts again.
REMEMBER_SECONDS = 30.0
# The clock of the process that signed a token may differ, and tokens have whole seconds.
CLOCK_SECONDS = 2.0
# A stream with this many unsent messages is dropped.
QUEUE = 64
# More topics of one kind than this are sent as `kind:*`.
TOO_MANY = 100
# Pages that get the same message spread their requests: at most this many a second.
ASKING_PER_SECOND = 2000
LONGEST_SPREAD_MS = 5000

UP = b"event: up\ndata:\n\n"
DOWN = b"event: down\ndata:\n\n"
# The comment keeps proxies from closing an idle stream; the event tells the page that it is open.
BEAT = b": still here\n"


class Client:
    """One open stream: its unsent messages, and the future on which it waits for the next."""

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
        """Ends the stream properly, after its unsent messages."""
        self._closed = True
        self._ring()

    def drop(self) -> None:
        if self.task:
            self.task.cancel()

    async def next(self) -> bytes:
        """The next messages, joined; empty at the end of the stream."""
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
        # Since when the Redis subscription is complete, by this machine's clock; None while it is
        # down.
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
        """What changed since the page was rendered; "*" if that is too long ago to know."""
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
        """The subscription works. Changes before it may have been missed, so every page refreshes
        all."""
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
        """Sends at once after a quiet time, else together with the next changes."""
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
            self._changed.pop(topic, None)  # moves it to the end: oldest first
            self._changed[topic] = now
        while self._changed:
            oldest = next(iter(self._changed))
            if now - self._changed[oldest] <= REMEMBER_SECONDS:
                break
            del self._changed[oldest]


def told(topics: Iterable[str], listeners: int) -> bytes:
    """A message: over how many milliseconds pages spread their requests, and the topics that
    changed ("*" is all)."""
    spread = min(LONGEST_SPREAD_MS, listeners * 1000 // ASKING_PER_SECOND)
    return f"data: {spread} {' '.join(topics)}\n\n".encode()


def _concerns(topic: str, listening: Listening) -> bool:
    return topic in listening.topics or f"{topic.partition(':')[0]}:*" in listening.topics


def _by_kind(topics: Iterable[str]) -> dict[str, list[str]]:
    kinds = defaultdict(list)
    for topic in topics:
        kinds[topic.partition(":")[0]].append(topic)
    return kinds

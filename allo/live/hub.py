"""The subscriptions of one live process: from what changed to every stream that listens to it.

Everything here runs on one event loop and never blocks. What changes within `GATHER_SECONDS` is
sent together, the newest of each key, so a stream carries a few small messages a second however
fast a drop sells. Streams with equal topics are one group, for which each message is built once.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator

from allo.live.memory import REMEMBER_SECONDS, Memory
from allo.live.message import ANEW, EVERYTHING, Message, keep_newest
from allo.live.streams import BEAT, Batch, Client, Group, Name, line, state
from allo.live.tokens import Listening

GATHER_SECONDS = 0.25
# For thousands of streams it is gathered longer, this many times what the last sending took: the
# shop that sells needs the processors too.
GATHER_PER_SENDING = 2
# The clocks of database, web and live process may differ, tokens have whole seconds, and a change
# has its time from before its commit: a page read after that time may still be without it.
CLOCK_SECONDS = 2.0
# A stream that has taken nothing for so long is dropped.
STUCK_SECONDS = 60.0
# Pages that get the same message spread their requests: at most this many a second, unless it names
# a number of its own.
ASKING_PER_SECOND = 2000
LONGEST_SPREAD_MS = 5000


class Hub:
    def __init__(self) -> None:
        self.clients: set[Client] = set()
        self._groups: dict[frozenset[str], Group] = {}
        self._listening: defaultdict[str, set[Group]] = defaultdict(set)
        self._gathered: dict[Name, Message] = {}
        self._sent_at = float("-inf")
        self._gather_seconds = GATHER_SECONDS
        self._memory = Memory()
        # Since when the Redis subscription is complete, by this machine's clock; None while it is
        # down.
        self._hears_since: float | None = None

    # --- streams --------------------------------------------------------------------------------

    def join(self, listening: Listening) -> Client:
        group = self._groups.get(listening.topics)
        if group is None:
            group = self._groups[listening.topics] = Group(listening.topics)
            for topic in group.topics:
                self._listening[topic].add(group)
        client = Client(group)
        client.put(Batch({**dict(self._missed(listening)), **self._state()}))
        group.clients.add(client)
        self.clients.add(client)
        return client

    def leave(self, client: Client) -> None:
        self.clients.discard(client)
        group = client.group
        group.clients.discard(client)
        if group.clients or self._groups.get(group.topics) is not group:
            return
        del self._groups[group.topics]
        for topic in group.topics:
            self._listening[topic].discard(group)
            if not self._listening[topic]:
                del self._listening[topic]

    def beat(self, clients: Iterable[Client]) -> None:
        batch = Batch({BEAT: line(BEAT), **self._state()})
        for client in clients:
            if client.waits_for() > STUCK_SECONDS:
                client.drop()
            else:
                client.put(batch)

    def close(self) -> None:
        for client in self.clients:
            client.close()

    def _state(self) -> dict[Name, bytes]:
        return state(self._hears_since is not None)

    def _missed(self, listening: Listening) -> Iterator[tuple[Name, bytes]]:
        """What changed since the page was read; "*" if that is too long ago to know."""
        if self._hears_since is None:
            return
        since = listening.since - CLOCK_SECONDS
        if since < max(self._hears_since, time.time() - REMEMBER_SECONDS):
            yield self._all()
            return
        for message in self._memory.of(listening.topics):
            is_shown = message.key == ANEW and message.at in listening.shown
            if message.at >= since * 1e6 and not is_shown:
                yield message.name, as_event(message, 1)

    def _all(self) -> tuple[Name, bytes]:
        message = Message(EVERYTHING, time.time_ns() // 1000)
        return message.name, as_event(message, len(self.clients))

    # --- what changes ---------------------------------------------------------------------------

    def up(self) -> None:
        """The subscription works. Changes before it may have been missed, so every page refreshes
        all."""
        self._hears_since = time.time()
        self._memory.clear()
        self._put_to_all(Batch(dict([self._all()]) | self._state()))

    def down(self) -> None:
        if self._hears_since is not None:
            self._hears_since = None
            self._put_to_all(Batch(self._state()))

    def changed(self, messages: Iterable[Message]) -> None:
        """Sends at once after a quiet time, else together with the next changes."""
        idle = not self._gathered
        news = (it for it in messages if it.is_news(self._memory.newest(it.name)))
        keep_newest(self._gathered, news)
        if idle and self._gathered:
            loop = asyncio.get_running_loop()
            loop.call_at(self._sent_at + self._gather_seconds, self._send)

    def _send(self) -> None:
        messages, self._gathered = self._gathered, {}
        loop = asyncio.get_running_loop()
        self._sent_at = loop.time()
        self._memory.remember(messages.values())
        heard: defaultdict[Group, dict[Name, bytes]] = defaultdict(dict)
        for name, message in messages.items():
            if groups := self._groups_of(message.topic):
                words = as_event(message, sum(len(group.clients) for group in groups))
                for group in groups:
                    heard[group][name] = words
        for group, lines in heard.items():
            group.put(Batch(lines))
        # The loop runs it after all the streams that have just been woken.
        loop.call_soon(self._have_sent)

    def _groups_of(self, topic: str) -> Collection[Group]:
        if topic == EVERYTHING:
            return self._groups.values()
        return self._listening.get(topic, ())

    def _have_sent(self) -> None:
        took = asyncio.get_running_loop().time() - self._sent_at
        self._gather_seconds = max(GATHER_SECONDS, GATHER_PER_SENDING * took)

    def _put_to_all(self, batch: Batch) -> None:
        for client in self.clients:
            client.put(batch)


def as_event(message: Message, listeners: int) -> bytes:
    """A message to pages: over how many milliseconds they spread their requests, if they make any,
    and what changed ("*" is all)."""
    if message.key == ANEW and message.numbers:
        spread = listeners * 1000 // int(message.numbers)
    else:
        spread = min(LONGEST_SPREAD_MS, listeners * 1000 // ASKING_PER_SECOND)
    return f"data: {spread} {message.line}\n\n".encode()

"""What changed a moment ago: a page that was rendered before its stream opened gets what it missed,
and does not have to request all of its parts again."""

import time
from collections import defaultdict
from collections.abc import Iterable

from allo.live.message import EVERYTHING, Message
from allo.live.streams import Name

REMEMBER_SECONDS = 30.0


class Memory:
    """The newest message of each key of each topic, found by its topic: of all that is remembered
    in a drop, a stream listens to very little."""

    def __init__(self) -> None:
        self._newest: defaultdict[str, dict[str, Message]] = defaultdict(dict)
        # When each came by this machine's clock; the oldest first.
        self._came: dict[Name, float] = {}

    def newest(self, name: Name) -> Message | None:
        topic, key = name
        return self._newest.get(topic, {}).get(key)

    def of(self, topics: Iterable[str]) -> list[Message]:
        """What is remembered of these topics and of everything, in the order in which it came."""
        found = [self._newest[it] for it in (*topics, EVERYTHING) if it in self._newest]
        messages = [message for newest in found for message in newest.values()]
        return sorted(messages, key=lambda message: self._came[message.name])

    def remember(self, messages: Iterable[Message]) -> None:
        now = time.time()
        for message in messages:
            self._came.pop(message.name, None)  # moves it to the end
            self._came[message.name] = now
            self._newest[message.topic][message.key] = message
        while self._came:
            oldest = next(iter(self._came))
            if now - self._came[oldest] <= REMEMBER_SECONDS:
                break
            self._forget(oldest)

    def clear(self) -> None:
        self._newest.clear()
        self._came.clear()

    def _forget(self, name: Name) -> None:
        topic, key = name
        del self._came[name], self._newest[topic][key]
        if not self._newest[topic]:
            del self._newest[topic]

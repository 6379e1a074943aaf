"""One open stream, and the group of streams with the same topics."""

import asyncio
import time
from functools import cached_property

Name = tuple[str, str]

UP, DOWN, BEAT = ("up", ""), ("down", ""), ("beat", "")


def line(name: Name) -> bytes:
    """The comment keeps proxies from closing an idle stream. `up` tells the page that its stream
    hears everything, and the time: a page that comes back sends it as Last-Event-ID, and so gets
    what it missed."""
    if name == BEAT:
        return b": still here\n\n"
    if name == DOWN:
        return b"event: down\ndata:\n\n"
    return f"id: {time.time_ns() // 1000}\nevent: up\ndata:\n\n".encode()


def state(is_up: bool) -> dict[Name, bytes]:
    # Under one name, so that of an unsent one and the next only the next is sent.
    return {UP: line(UP if is_up else DOWN)}


class Batch:
    """Lines by what they are about, joined once for all streams that get them."""

    def __init__(self, lines: dict[Name, bytes]) -> None:
        self.lines = lines

    @cached_property
    def text(self) -> bytes:
        return b"".join(self.lines.values())

    def then(self, later: "Batch") -> "Batch":
        """Of each name only the newest, and in the order of the newest."""
        earlier = {name: it for name, it in self.lines.items() if name not in later.lines}
        return Batch(earlier | later.lines)


class Group:
    """Streams with equal topics."""

    def __init__(self, topics: frozenset[str]) -> None:
        self.topics = topics
        self.clients: set[Client] = set()

    def put(self, batch: Batch) -> None:
        for client in self.clients:
            client.put(batch)


class Client:
    """One open stream: what it has not been sent, and the future on which it waits for more."""

    __slots__ = ("_closed", "_put_at", "_unsent", "_wake", "group", "task")

    def __init__(self, group: Group) -> None:
        self.group = group
        self.task = asyncio.current_task()
        self._unsent: Batch | None = None
        self._put_at = 0.0
        self._wake: asyncio.Future[None] | None = None
        self._closed = False

    def put(self, batch: Batch) -> None:
        """A stream that takes nothing keeps no more than the newest of each name."""
        if self._unsent is None:
            self._unsent = batch
            self._put_at = time.monotonic()
        else:
            self._unsent = self._unsent.then(batch)
        self._ring()

    def waits_for(self) -> float:
        """For how many seconds it has taken nothing of what there is for it."""
        return time.monotonic() - self._put_at if self._unsent else 0.0

    def close(self) -> None:
        """Ends the stream properly, after what is unsent."""
        self._closed = True
        self._ring()

    def drop(self) -> None:
        if self.task:
            self.task.cancel()

    async def next(self) -> bytes:
        """What is unsent, joined; empty at the end of the stream."""
        if not self._unsent and not self._closed:
            self._wake = asyncio.get_running_loop().create_future()
            await self._wake
        batch, self._unsent = self._unsent, None
        return batch.text if batch else b""

    def _ring(self) -> None:
        if self._wake and not self._wake.done():
            self._wake.set_result(None)

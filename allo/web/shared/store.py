"""Values that many callers share for a second; one rendering per key at a time.

Age is counted from before the first query of a rendering, by the monotonic clock. A value ends by
its age alone: there are no versions and no purges. The first caller after `RENEW_SECONDS` renders
anew, while others get the old value until `LIFE_SECONDS`. A caller that has just changed something
requests a `fresh` value: one whose rendering began after the caller arrived.
"""

import os
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from threading import BoundedSemaphore, Event, Lock
from typing import Generic, TypeVar

LIFE_SECONDS = 1.0
RENEW_SECONDS = 0.5
# Later callers are refused, so that a slow rendering does not occupy every thread of the process.
WAIT_SECONDS = 2.0

Value = TypeVar("Value")


class Crowded(Exception):
    """The rendering did not end in time, or too many threads already wait for renderings."""


@dataclass(eq=False, slots=True)
class Rendering(Generic[Value]):
    begun: float
    ended: Event = field(default_factory=Event)
    value: Value | None = None
    error: BaseException | None = None

    def result(self) -> Value:
        if self.error is not None:
            raise self.error
        assert self.value is not None
        return self.value


class Store(Generic[Value]):
    """At most `max_bytes` of values, the least recently used dropped first.

    `size_of(value)` is the number of bytes it takes, None if it must not be kept. At most `waiters`
    threads wait for renderings at any time. With `first_time` a value is kept from the first
    request for its key on, else from the second.
    """

    def __init__(
        self,
        *,
        size_of: Callable[[Value], int | None],
        max_bytes: int,
        waiters: int,
        first_time: bool = True,
    ) -> None:
        self._size_of = size_of
        self._max_bytes = max_bytes
        self._waiters = max(waiters, 1)
        self._first_time = first_time
        self.reset()
        # A lock held by a thread of the parent would stay locked in a forked child for ever.
        os.register_at_fork(after_in_child=self.reset)

    def reset(self) -> None:
        self._mutex = Lock()
        self._places = BoundedSemaphore(self._waiters)
        self._kept: OrderedDict[Hashable, tuple[float, int, Value]] = OrderedDict()
        self._under_way: dict[Hashable, Rendering[Value]] = {}
        self._seen: OrderedDict[int, None] = OrderedDict()
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: Hashable, render: Callable[[], Value], *, fresh: bool = False) -> Value:
        """Raises `Crowded`, and the rendering's exception for each caller that waited for it."""
        arrived = time.monotonic()
        oldest = arrived if fresh else arrived - LIFE_SECONDS
        while True:
            with self._mutex:
                rendering = self._under_way.get(key)
                # Others renew it already, or it is young enough not to be renewed.
                youngest = oldest if fresh or rendering else arrived - RENEW_SECONDS
                if (kept := self._kept.get(key)) and kept[0] >= youngest:
                    self._kept.move_to_end(key)
                    return kept[2]
                if rendering is None:
                    own = self._under_way[key] = Rendering[Value](time.monotonic())
            if rendering is None:
                return self._lead(key, own, render)
            self._wait(rendering, arrived + WAIT_SECONDS)
            if rendering.begun >= oldest:
                return rendering.result()

    def _lead(self, key: Hashable, own: Rendering[Value], render: Callable[[], Value]) -> Value:
        try:
            own.value = render()
        except BaseException as error:  # whatever it is, nobody may be left waiting
            own.error = error
        with self._mutex:
            if self._under_way.get(key) is own:
                del self._under_way[key]
            if own.value is not None:
                self._keep(key, own.begun, own.value)
        own.ended.set()
        return own.result()

    def _wait(self, rendering: Rendering[Value], until: float) -> None:
        places = self._places
        if not places.acquire(blocking=False):
            raise Crowded
        try:
            if not rendering.ended.wait(until - time.monotonic()):
                raise Crowded
        finally:
            places.release()

    def _keep(self, key: Hashable, begun: float, value: Value) -> None:
        if before := self._kept.pop(key, None):
            self.bytes -= before[1]
        size = self._size_of(value)
        if size is None or size > self._max_bytes or not self._is_wanted(key):
            return
        self._kept[key] = (begun, size, value)
        self.bytes += size
        while self.bytes > self._max_bytes:
            _, (_, dropped, _) = self._kept.popitem(last=False)
            self.bytes -= dropped

    def _is_wanted(self, key: Hashable) -> bool:
        """A key that is requested only once, such as a crawler's, costs a number and not a page."""
        if self._first_time:
            return True
        number = hash(key)
        known = number in self._seen
        self._seen[number] = None
        self._seen.move_to_end(number)
        if len(self._seen) > 4096:
            self._seen.popitem(last=False)
        return known

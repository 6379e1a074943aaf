"""Combining: callers that arrive while a transaction is running share the next one.

A row lock is serial, so a commit per caller makes a queue of commits. Here the first caller of an
idle lane becomes its leader and runs at once. Callers that arrive meanwhile wait, and the first of
them leads the next batch, which has all that are waiting. No caller waits for a batch to fill, the
order of arrival is kept, and a popular row costs one commit per batch instead of one per caller.

The main lane never waits for a key that another transaction has locked: `run` reports it as
`Later`, and the call moves to a lane for that key alone, where its wait delays no other call. This
module knows nothing of stock or databases; `run` does the work.
"""

import os
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Later:
    """The item could not be served without waiting for `key`."""

    key: Hashable


@dataclass(eq=False, slots=True)
class Lane(Generic[Item, Result]):
    """Calls that are served one batch after the other; `key` is None for the main lane."""

    key: Hashable
    waiting: "deque[Call[Item, Result]]"
    led: bool = False


class Call(Generic[Item, Result]):
    """One caller's request, and the lock on which its thread waits."""

    __slots__ = ("_gate", "item", "lane", "outcome")

    def __init__(self, item: Item) -> None:
        self.item = item
        self.outcome: Result | BaseException | None = None
        self.lane: Lane[Item, Result] | None = None
        self._gate = Lock()
        self._gate.acquire()

    def wait(self) -> None:
        self._gate.acquire()

    def wake(self) -> None:
        self._gate.release()


class Combiner(Generic[Item, Result]):
    """Serves items in batches of at most `limit`, one batch at a time per lane.

    `run(items, key)` returns one outcome per item, in order: a value, an exception to be raised for
    that caller alone, or (only in the main lane, where `key` is None) `Later`. `keys(item)` names
    what an item may have to wait for: of those that have a lane, it joins that of the first.
    """

    def __init__(
        self,
        run: Callable[[list[Item], Hashable], Sequence[Result | BaseException | Later]],
        keys: Callable[[Item], Iterable[Hashable]],
        limit: int = 64,
    ) -> None:
        self._run = run
        self._keys = keys
        self._limit = limit
        self._reset()
        # A mutex that a thread of the parent holds at a fork would stay locked in the child for
        # ever.
        os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self._mutex = Lock()
        self._main: Lane[Item, Result] = Lane(None, deque())
        self._lanes: dict[Hashable, Lane[Item, Result]] = {}

    def submit(self, item: Item) -> Result:
        """Returns the item's outcome, or raises the exception that is its outcome."""
        call: Call[Item, Result] = Call(item)
        with self._mutex:
            leads = self._enter(call, self._lane_of(item))
        while call.outcome is None:
            if leads:
                leads = self._lead(call)
            else:
                # A thread that is woken without an outcome leads the next batch.
                call.wait()
                leads = True
        if isinstance(call.outcome, BaseException):
            raise call.outcome
        return call.outcome

    def _lane_of(self, item: Item) -> Lane[Item, Result]:
        if self._lanes:
            for key in self._keys(item):
                if key in self._lanes:
                    return self._lanes[key]
        return self._main

    def _enter(self, call: Call[Item, Result], lane: Lane[Item, Result]) -> bool:
        """Puts the call in the lane; true if the call's thread is to lead it."""
        call.lane = lane
        if lane.led:
            lane.waiting.append(call)
            return False
        lane.led = True
        return True

    def _lead(self, own: Call[Item, Result]) -> bool:
        """Serves one batch and hands the lane on; true if `own` is to lead another lane."""
        lane = own.lane
        assert lane is not None
        with self._mutex:
            others = [
                lane.waiting.popleft() for _ in range(min(len(lane.waiting), self._limit - 1))
            ]
        batch = [own, *others]
        outcomes: Sequence[Result | BaseException | Later]
        try:
            outcomes = self._run([call.item for call in batch], lane.key)
        except BaseException as error:  # any error: no caller may be left waiting
            outcomes = [error] * len(batch)
        return self._deliver(lane, batch, outcomes)

    def _deliver(
        self,
        lane: Lane[Item, Result],
        batch: list[Call[Item, Result]],
        outcomes: Sequence[Result | BaseException | Later],
    ) -> bool:
        own = batch[0]
        woken: list[Call[Item, Result]] = []
        own_leads = False
        with self._mutex:
            self._hand_over(lane, woken)
            for call, outcome in zip(batch, outcomes, strict=True):
                if isinstance(outcome, Later):
                    leads = self._enter(call, self._lane_for(outcome.key))
                    own_leads |= leads and call is own
                    if leads and call is not own:
                        woken.append(call)
                else:
                    call.outcome = outcome
                    if call is not own:
                        woken.append(call)
        for call in woken:
            call.wake()
        return own_leads

    def _hand_over(self, lane: Lane[Item, Result], woken: list[Call[Item, Result]]) -> None:
        if lane.waiting:
            woken.append(lane.waiting.popleft())
        else:
            lane.led = False
            self._lanes.pop(lane.key, None)

    def _lane_for(self, key: Hashable) -> Lane[Item, Result]:
        return self._lanes.setdefault(key, Lane(key, deque()))

"""The mechanism alone, with plain functions in place of transactions."""

import os
import signal
from collections.abc import Hashable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from threading import Event

import pytest

from reservations.engine.combining import Combiner, Later
from tests.running import wait_for


class Desk:
    """Runs batches one by one as the test lets it, and remembers each."""

    def __init__(self) -> None:
        self.batches: list[tuple[list[str], Hashable]] = []
        self.entered = Event()
        self.go_on = Event()
        self.busy_keys: set[str] = set()
        self.key_free = Event()
        self.combiner: Combiner[str, str] = Combiner(self.run, lambda item: [item[0]], limit=4)

    def run(self, items: list[str], key: Hashable) -> Sequence[str | Exception | Later]:
        self.batches.append((items, key))
        if key:
            self.key_free.wait(60)
            return [item.upper() for item in items]
        self.entered.set()
        self.go_on.wait(60)
        if "!" in items[0]:
            raise SystemExit(items[0])
        return [self.answer(item) for item in items]

    def answer(self, item: str) -> str | Exception | Later:
        if item[0] in self.busy_keys:
            return Later(item[0])
        return ValueError(item) if item.endswith("?") else item.upper()

    def has_waiting(self, number: int) -> bool:
        return sum(len(lane.waiting) for lane in self.lanes()) >= number

    def lanes(self) -> list:
        return [self.combiner._main, *self.combiner._lanes.values()]


@contextmanager
def callers(desk: Desk, first: str, *others: str) -> Iterator[list]:
    """Submits `first`, then the others in order while its batch is held up."""
    with ThreadPoolExecutor(20) as pool:
        futures = [pool.submit(desk.combiner.submit, first)]
        assert desk.entered.wait(60)
        for number, item in enumerate(others, start=1):
            futures.append(pool.submit(desk.combiner.submit, item))
            wait_for(partial(desk.has_waiting, number), every=0.001)
        yield futures
        desk.go_on.set()
        desk.key_free.set()


def test_a_lone_caller_is_served_at_once_and_alone() -> None:
    desk = Desk()
    desk.go_on.set()
    assert desk.combiner.submit("a") == "A"
    assert desk.batches == [(["a"], None)]


def test_callers_that_arrive_during_a_batch_share_the_next_in_order() -> None:
    desk = Desk()
    with callers(desk, "a", "b", "c", "d") as futures:
        desk.go_on.set()
        assert [future.result(60) for future in futures] == ["A", "B", "C", "D"]
    assert [items for items, _ in desk.batches] == [["a"], ["b", "c", "d"]]


def test_a_batch_has_at_most_limit_items() -> None:
    desk = Desk()
    with callers(desk, "a", *"bcdefg") as futures:
        desk.go_on.set()
        assert [future.result(60) for future in futures] == list("ABCDEFG")
    assert [len(items) for items, _ in desk.batches] == [1, 4, 2]


def test_an_item_that_fails_fails_alone() -> None:
    desk = Desk()
    with callers(desk, "a", "b?", "c") as futures:
        desk.go_on.set()
        assert futures[2].result(60) == "C"
        with pytest.raises(ValueError, match="b"):
            futures[1].result(60)


def test_a_leader_that_dies_leaves_nobody_waiting() -> None:
    desk = Desk()
    with callers(desk, "a!", "b", "c") as futures:
        desk.go_on.set()
        with pytest.raises(SystemExit):
            futures[0].result(60)
        assert [future.result(60) for future in futures[1:]] == ["B", "C"]


def test_a_caller_that_waits_for_a_key_delays_no_other() -> None:
    desk = Desk()
    desk.busy_keys = {"x"}
    with callers(desk, "x1", "a", "x2", "b") as futures:
        desk.go_on.set()
        assert [futures[n].result(60) for n in (1, 3)] == ["A", "B"]
        assert not futures[0].done()
        assert not futures[2].done()
        # Later callers with this key join its lane without trying in the main one.
        with ThreadPoolExecutor(1) as pool:
            late = pool.submit(desk.combiner.submit, "x3")
            wait_for(lambda: bool(desk.combiner._lanes["x"].waiting), every=0.001)
            desk.key_free.set()
            assert late.result(60) == "X3"
        assert [futures[n].result(60) for n in (0, 2)] == ["X1", "X2"]
    assert ["x3"] not in [items for items, key in desk.batches if not key]
    assert desk.combiner._lanes == {}, "a lane ends with its last call"


def test_the_leader_itself_can_be_sent_to_wait() -> None:
    desk = Desk()
    desk.busy_keys = {"x"}
    desk.go_on.set()
    desk.key_free.set()
    assert desk.combiner.submit("x1") == "X1"
    assert desk.batches == [(["x1"], None), (["x1"], "x")]


def test_a_forked_process_does_not_wait_for_a_lock_of_its_parent() -> None:
    desk = Desk()
    desk.go_on.set()
    with desk.combiner._mutex:
        child = os.fork()
        if not child:
            signal.alarm(60)
            os._exit(desk.combiner.submit("a") != "A")
    _, status = os.waitpid(child, 0)
    assert status == 0

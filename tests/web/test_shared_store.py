"""Shared values: by age alone, one rendering at a time, bounded."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest

from allo.web.shared import store as stores
from allo.web.shared.store import Crowded, Store


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(stores, "time", clock)
    monkeypatch.setattr(stores, "WAIT_SECONDS", 60.0)
    return clock


def store(**options: Any) -> Store[str]:
    return Store(**{"size_of": len, "max_bytes": 100, "waiters": 2, **options})


def numbered() -> Callable[[], str]:
    count = iter(range(1, 100))
    return lambda: f"rendering {next(count)}"


def test_a_value_is_shared_for_half_a_second_and_then_rendered_again(clock: Clock):
    shared, render = store(), numbered()
    assert shared.get("page", render) == "rendering 1"
    clock.now += 0.49
    assert shared.get("page", render) == "rendering 1"
    clock.now += 0.02
    assert shared.get("page", render) == "rendering 2"


def test_age_counts_from_before_the_rendering(clock: Clock):
    shared, render = store(), numbered()

    def slow() -> str:
        clock.now += 0.6
        return "slow"

    assert shared.get("page", slow) == "slow"
    assert shared.get("page", render) == "rendering 1"


def test_while_one_renders_others_get_the_old_value_until_it_is_a_second_old(clock: Clock):
    shared = store()
    shared.get("page", lambda: "old")
    rendering, go_on = Event(), Event()

    def slow() -> str:
        rendering.set()
        assert go_on.wait(60)
        return "new"

    with ThreadPoolExecutor() as pool:
        clock.now += 0.6
        leader = pool.submit(shared.get, "page", slow)
        assert rendering.wait(60)
        assert shared.get("page", pytest.fail) == "old"
        clock.now += 0.5
        waiter = pool.submit(shared.get, "page", pytest.fail)
        go_on.set()
        assert (leader.result(60), waiter.result(60)) == ("new", "new")


def test_fresh_takes_no_rendering_that_began_before_it_arrived(clock: Clock):
    shared = store()
    rendering, go_on = Event(), Event()

    def slow() -> str:
        rendering.set()
        assert go_on.wait(60)
        return "began before"

    with ThreadPoolExecutor() as pool:
        first = pool.submit(shared.get, "page", slow)
        assert rendering.wait(60)
        clock.now += 0.01
        fresh = pool.submit(shared.get, "page", lambda: "began after", fresh=True)
        go_on.set()
        assert first.result(60) == "began before"
        assert fresh.result(60) == "began after"
    assert shared.get("page", pytest.fail) == "began after"


def test_waiters_share_the_failure_and_nothing_is_kept(clock: Clock):
    shared = store()
    rendering, go_on = Event(), Event()

    def breaks() -> str:
        rendering.set()
        assert go_on.wait(60)
        raise LookupError("broken")

    with ThreadPoolExecutor() as pool:
        leader = pool.submit(shared.get, "page", breaks)
        assert rendering.wait(60)
        waiter = pool.submit(shared.get, "page", pytest.fail)
        while shared._places._value == 2:
            pass
        go_on.set()
        for caller in (leader, waiter):
            with pytest.raises(LookupError):
                caller.result(60)
    assert shared.get("page", lambda: "whole") == "whole"


def test_more_waiters_than_places_are_refused(clock: Clock):
    shared = store(waiters=1)
    rendering, go_on = Event(), Event()

    def slow() -> str:
        rendering.set()
        assert go_on.wait(60)
        return "made"

    with ThreadPoolExecutor() as pool:
        leader = pool.submit(shared.get, "page", slow)
        assert rendering.wait(60)
        waiter = pool.submit(shared.get, "page", pytest.fail)
        while shared._places._value:
            pass
        with pytest.raises(Crowded):
            shared.get("page", pytest.fail)
        go_on.set()
        assert (leader.result(60), waiter.result(60)) == ("made", "made")


def test_the_least_recently_used_is_dropped_when_there_is_no_room(clock: Clock):
    shared, render = store(max_bytes=25), numbered()
    for key in ("a", "b"):
        shared.get(key, render)
    shared.get("a", pytest.fail)
    shared.get("c", render)
    assert (shared.bytes, len(shared)) == (22, 2)
    assert shared.get("a", pytest.fail) == "rendering 1"
    assert shared.get("b", render) == "rendering 4"


def test_what_must_not_be_kept_is_not(clock: Clock):
    shared, render = store(size_of=lambda _: None), numbered()
    assert shared.get("page", render) == "rendering 1"
    assert shared.get("page", render) == "rendering 2"
    assert (shared.bytes, len(shared)) == (0, 0)


def test_ten_thousand_rare_keys_take_no_room_and_a_second_request_does(clock: Clock):
    shared = store(first_time=False)
    for number in range(10_000):
        shared.get(number, lambda: "page")
    assert len(shared) == 0
    assert len(shared._seen) <= 4096
    shared.get(9_999, lambda: "page")
    assert len(shared) == 1

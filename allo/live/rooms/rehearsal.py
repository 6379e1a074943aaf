"""A drop with invented shoppers and bots: what each side gets, without a room and through one."""

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from random import SystemRandom
from typing import NamedTuple

from allo.live.rooms import store
from allo.live.rooms.answers import Seen
from allo.live.rooms.passes import Place, Ticket
from allo.live.rooms.store import run

# The share of shoppers who are there before the opening; the others come within so many seconds
# after it. Without a room shoppers press the button within the same time, and bots at once.
EARLY = 0.8
WITHIN_SECONDS = 10.0
# The rate of a room whose shop was calm for some minutes before the opening.
RATE = 200.0
LOOK_SECONDS = 0.25
PLACES_AT_ONCE = 500

_random = SystemRandom()


class Caller(NamedTuple):
    name: str
    network: str
    is_bot: bool
    # Seconds after the opening; those who are early are negative.
    arrives: float


# Tries to hold units for a caller; returns how many it got.
Hold = Callable[[Caller], int]


class Result(NamedTuple):
    shoppers: int
    bots: int

    @property
    def share_of_bots(self) -> float:
        return self.bots / max(1, self.bots + self.shoppers)

    def plus(self, caller: Caller, units: int) -> "Result":
        if caller.is_bot:
            return self._replace(bots=self.bots + units)
        return self._replace(shoppers=self.shoppers + units)


def crowd(*, shoppers: int, bots: int, networks: int) -> list[Caller]:
    """Each shopper has a network; the bots share theirs, 20 in each /24, and were there first."""
    people = [
        Caller(f"shopper-{n}", f"10.{n >> 8 & 255}.{n & 255}.{n >> 16}/32", False, _comes())
        for n in range(shoppers)
    ]
    robots = [
        Caller(f"bot-{n}", f"172.16.{n % networks // 20}.{n % networks % 20 + 1}/32", True, -60.0)
        for n in range(bots)
    ]
    return sorted([*people, *robots], key=lambda it: it.arrives)


def _comes() -> float:
    late = _random.random() > EARLY
    return _random.uniform(0.0 if late else -30.0, WITHIN_SECONDS if late else 0.0)


def without_room(callers: Iterable[Caller], hold: Hold) -> Result:
    """All press at the opening: bots at once, people when they see it."""
    found = Result(0, 0)
    pressing = {it: 0.0 if it.is_bot else _random.uniform(0.2, WITHIN_SECONDS) for it in callers}
    for caller in sorted(pressing, key=lambda it: pressing[it]):
        found = found.plus(caller, hold(caller))
    return found


def through_room(room: int, callers: list[Caller], hold: Hold, *, units: int) -> Result:
    """All join, and press when they are let in, until nothing is left or nobody waits."""
    _open(room, datetime.now(UTC) + timedelta(hours=1), units)
    try:
        waiting = dict(_join(room, (it for it in callers if it.arrives < 0)))
        _open(room, datetime.now(UTC), units)
        waiting |= _join(room, (it for it in callers if it.arrives >= 0))
        return _let_in(room, waiting, hold)
    finally:
        run(store.close(room, "The rehearsal is over."))


def _open(room: int, opens_at: datetime, units: int) -> None:
    run(store.open_room(room, opens_at=opens_at, back="/", page=b"", rate=RATE))
    run(store.supply(room, free=units, held=0))


def _join(room: int, callers: Iterable[Caller]) -> Iterator[tuple[Caller, Place]]:
    for caller in callers:
        if place := run(store.join(room, visitor=caller.name, network=caller.network)):
            yield caller, place


def _let_in(room: int, waiting: dict[Caller, Place], hold: Hold) -> Result:
    found = Result(0, 0)
    while waiting:
        run(store.report(room, "rehearsal", p95_ms=0, busy=0))
        numbers = run(store.step(room))
        for caller, ticket in _tickets(room, waiting):
            del waiting[caller]
            units = hold(caller)
            run(store.used(ticket, units=units))
            found = found.plus(caller, units)
        if numbers is None or numbers.supply + numbers.let == 0:
            break
        time.sleep(LOOK_SECONDS)
    return found


def _tickets(room: int, waiting: dict[Caller, Place]) -> list[tuple[Caller, Ticket]]:
    """Of those who were let in. Reports that all others are still there."""
    callers = list(waiting)
    states: list[Seen] = []
    for start in range(0, len(callers), PLACES_AT_ONCE):
        some = callers[start : start + PLACES_AT_ONCE]
        found = run(store.seen(room, [waiting[it] for it in some]))
        states += found or []
    return [
        (caller, Ticket(room, caller.name, one.score, one.ends))
        for caller, one in zip(callers, states, strict=True)
        if one.state == "in"
    ]

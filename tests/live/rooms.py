"""Waiting rooms in tests: real scripts on a real Valkey, whose clock nobody can set; so what a room
remembers is set back instead."""

import time
from datetime import UTC, datetime
from typing import Any

from allo.live.rooms import store
from allo.live.rooms.answers import Numbers
from allo.live.rooms.passes import Place, Ticket
from allo.live.rooms.store import run
from allo.redis_client import redis_client

BACK = "/p/mug/ticket/"
PAGE = b"<html data-now='room:now'><!-- room:head --><!-- room:state --></html>"


def moment(in_seconds: float) -> datetime:
    return datetime.fromtimestamp(time.time() + in_seconds, UTC)


class Room:
    def __init__(self, number: int) -> None:
        self.number = number

    def open(self, in_seconds: float = -1, *, free: int = 1000, page: bytes = PAGE) -> None:
        """With a calm shop, that lets in 200 a second."""
        opens_at = moment(in_seconds)
        run(store.open_room(self.number, opens_at=opens_at, back=BACK, page=page))
        run(store.supply(self.number, free=free, held=0))
        run(store.report(self.number, "web", p95_ms=1, busy=0))
        self.put(rate=200, tokens=200, rests_until=0)

    def key(self, part: str = "") -> str:
        return f"{{room:{self.number}}}{part}"

    def put(self, **fields: float) -> None:
        for name, value in fields.items():
            redis_client().hset(self.key(), name, str(value))

    def close(self, **kept: Any) -> None:
        run(store.close(self.number, "All are sold.", **kept))

    def kept(self, *names: str) -> tuple[int, int] | None:
        """Rank and number of places."""
        found = run(store.kept(self.number, names))
        return found and (found.rank, found.places)

    def join(self, visitor: str, network: str = "", shown: Place | None = None) -> Place:
        join = store.join(self.number, visitor=visitor, network=network or visitor, shown=shown)
        place = run(join)
        assert place
        return place

    def step(self) -> Numbers:
        """The next one, without waiting for it."""
        self.put(stepped_at=time.time() - 1)
        return self.now()

    def now(self) -> Numbers:
        numbers = run(store.step(self.number))
        assert numbers
        return numbers

    def one_a_step(self) -> None:
        """Without a word from the shop two are let in a second; and one is owed."""
        redis_client().delete(self.key(":reports"))
        self.put(tokens=-1)

    def let_in_order(self) -> list[str]:
        """Lets in one after the other, until nobody waits."""
        order: list[str] = []
        while self.line():
            self.one_a_step()
            self.step()
            order += set(self.line(":let")) - set(order)
        return order

    def seen(self, *places: Place) -> list[str]:
        answers = run(store.seen(self.number, places))
        assert answers is not None
        return [answer.state for answer in answers]

    def line(self, part: str = ":line") -> list[str]:
        visitors: list[Any] = redis_client().zrange(self.key(part), 0, -1)
        return [visitor.decode() for visitor in visitors]

    def place(self, visitor: str, score: float) -> Place:
        return Place(self.number, visitor, score)

    def ticket_of(self, place: Place) -> Ticket:
        (answer,) = run(store.seen(self.number, [place])) or []
        assert answer.state == "in"
        return Ticket(self.number, place.visitor, answer.score, answer.ends)

    def check(self, ticket: Ticket | None) -> str:
        return run(store.check(self.number, ticket))

    def absent(self, *visitors: str) -> None:
        """Nothing has been heard of them for longer than a room waits."""
        scores = dict.fromkeys(visitors, time.time() - 46)
        redis_client().zadd(self.key(":here"), scores)

    def all_turns_are_over(self) -> None:
        redis_client().zadd(self.key(":let"), dict.fromkeys(self.line(":let"), 1))

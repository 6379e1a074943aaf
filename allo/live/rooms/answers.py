"""What the scripts of `store` answer."""

from datetime import datetime
from typing import Any, NamedTuple, Self


class Numbers(NamedTuple):
    """A room as it is now. Moments are seconds since the epoch, by Redis's clock."""

    # "early", "open" or "closed".
    phase: str
    now: float
    # Changes each time that Redis has lost the room.
    life: str
    opens_at: float
    # When it was made or opened again; 0 if it was by a version that did not store this.
    opened_at: float
    # The opening before it was moved; None if it was not, or had begun by then.
    moved_from: float | None
    # Changes with the page.
    version: str
    # The address on the shop for those with a ticket; why the room is closed, and whether it may
    # open again; and the address where those who were there until then can use their places.
    back: str
    words: str
    passing: bool
    onward: str
    # Units that are free, and those that are held and may come back.
    supply: int
    held: int
    # Visitors let in a second: as many as the shop can serve, and as many as there were lately.
    rate: float
    pace: float
    waiting: int
    # How many have a ticket now, and how many have had one.
    let: int
    let_in: int

    @classmethod
    def read(cls, answer: list[Any] | None) -> Self | None:
        if answer is None:
            return None
        texts = [it.decode() if isinstance(it, bytes) else str(it) for it in answer]
        phase, now, life, opens_at, opened_at, moved, version, *rest = texts
        back, words, passing, onward, supply, held, rate, pace, *counts = rest
        return cls(
            phase, float(now), life, float(opens_at), float(opened_at),
            float(moved) if moved else None, version, back, words, passing == "1", onward,
            int(supply), int(held), float(rate), float(pace), *map(int, counts),
        )  # fmt: skip


class Seen(NamedTuple):
    """What became of a place. `score` is its score now; `rank` counts from 0."""

    # "waiting", "in" (it has a ticket), "over" (its ticket was used), "closed", or "kept" in a room
    # that is closed.
    state: str
    score: float = 0.0
    rank: int = 0
    ends: int = 0

    @classmethod
    def read(cls, answer: bytes) -> Self:
        state, *rest = answer.decode().split(" ")
        if not rest:
            return cls(state)
        score, number = float(rest[0]), int(float(rest[1]))
        return cls(state, score, ends=number) if state == "in" else cls(state, score, rank=number)


class Kept(NamedTuple):
    """A place in a room that is closed; `rank` counts from 0 among the `places` that were kept."""

    rank: int
    places: int
    closed_at: datetime

    @classmethod
    def read(cls, answer: list[Any] | None) -> Self | None:
        if answer is None:
            return None
        rank, places, closed_at = answer
        return cls(rank, places, datetime.fromisoformat(closed_at.decode()))

"""The chart of the last 24 hours on the front page, as its template draws it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

HOURS = 24
SERIES = {"held": "Held", "confirmed": "Confirmed", "expired": "Expired"}
WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 1000, 190, 32, 8, 24
_STEP = (WIDTH - LEFT) / HOURS
_BAR = 10


@dataclass(frozen=True)
class Bar:
    series: str
    x: float
    y: float
    height: float


@dataclass(frozen=True)
class Hour:
    """One hour of the chart: its position, and its counts in the order of `SERIES`."""

    at: datetime
    x: float
    counts: dict[str, int]
    labelled: bool


@dataclass(frozen=True)
class Chart:
    """Bars for each hour of the last day, as the template draws them."""

    hours: list[Hour]
    top: int

    @classmethod
    def of(cls, last: datetime, held: dict[datetime, int], ended: list[dict[str, Any]]) -> "Chart":
        counts = {(row["hour"], row["status"]): row["count"] for row in ended}
        hours = []
        for n in range(HOURS):
            at = last - timedelta(hours=HOURS - 1 - n)
            of_hour = {"held": held.get(at, 0)}
            of_hour |= {name: counts.get((at, name), 0) for name in ("confirmed", "expired")}
            hours.append(Hour(at, LEFT + n * _STEP, of_hour, at.hour % 3 == 0))
        most = max(max(hour.counts.values()) for hour in hours)
        return cls(hours, round_up(most))

    width, height, floor = WIDTH, HEIGHT, HEIGHT - BOTTOM
    left = LEFT
    series = SERIES

    @property
    def bars(self) -> list[Bar]:
        found = []
        for hour in self.hours:
            for n, (name, count) in enumerate(hour.counts.items()):
                if count:
                    height = self._height(count)
                    x = hour.x + (_STEP - 3 * _BAR - 2) / 2 + n * (_BAR + 1)
                    found.append(Bar(name, round(x, 1), round(self.floor - height, 1), height))
        return found

    @property
    def lines(self) -> list[tuple[int, float]]:
        """The grid lines: label and position."""
        return [
            (self.top * n // 2, round(self.floor - self._height(self.top * n // 2), 1))
            for n in range(3)
        ]

    @property
    def totals(self) -> dict[str, int]:
        return {name: sum(hour.counts[name] for hour in self.hours) for name in SERIES}

    def _height(self, count: int) -> float:
        return round(max(count / self.top * (self.floor - TOP), 2 if count else 0), 1)


def round_up(number: int) -> int:
    """Rounds up to a number for the scale: 2, 4, 10, 20, 40, 100, …"""
    scale = 1
    while True:
        for step in (2, 4, 10):
            if number <= step * scale:
                return step * scale
        scale *= 10

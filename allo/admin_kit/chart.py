"""Charts as templates draw them: bars over hours or days, a line of shares, small bars in a table.

`admin/_chart.html` draws the first two as SVG, with the numbers in a table beneath.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

# The numbers of the scale are on the right, where a narrow screen shows the last columns.
WIDTH, HEIGHT, RIGHT, TOP, BOTTOM = 1000, 190, 56, 8, 24
# Of the line of shares, which has no labels below.
LOW, LOW_TOP, LOW_BOTTOM = 92, 10, 10
WIDEST = 24
SPARK = 18


@dataclass(frozen=True)
class Bar:
    series: str
    x: float
    y: float
    height: float
    width: float


@dataclass(frozen=True)
class Column:
    """One hour or day: the times it is named by, its counts in the order of the series, and the
    share of some of them in per cent, if there is one. Only columns with a label have it below."""

    at: date | datetime
    counts: Mapping[str, int]
    label: str = ""
    share: float | None = None


@dataclass(frozen=True)
class Point:
    x: float
    y: float
    share: float


class Chart:
    """`series` are the names of the counts and their words."""

    width, height, right = WIDTH, HEIGHT, WIDTH - RIGHT
    floor = HEIGHT - BOTTOM
    low = LOW

    def __init__(self, columns: Iterable[Column], series: Mapping[str, str]) -> None:
        self.columns = list(columns)
        self.series = series
        self.top = round_up(max(max(each.counts.values()) for each in self.columns))
        self._step = self.right / len(self.columns)
        self._bar = round(min(WIDEST, (self._step - 8) / len(series) - 1))

    @property
    def bars(self) -> list[Bar]:
        group = len(self.series) * (self._bar + 1) - 1
        found = []
        for n, column in enumerate(self.columns):
            x = n * self._step + (self._step - group) / 2
            for name, number in column.counts.items():
                if number:
                    height = self._height(number)
                    y = round(self.floor - height, 1)
                    found.append(Bar(name, round(x, 1), y, height, self._bar))
                x += self._bar + 1
        return found

    @property
    def lines(self) -> list[tuple[str, float]]:
        """The grid lines: label and position."""
        halves = [self.top * n // 2 for n in range(3)]
        return [(_short(half), round(self.floor - self._height(half), 1)) for half in halves]

    @property
    def labels(self) -> list[tuple[str, float]]:
        """What stands below the columns: words and position."""
        return [(each.label, x) for each, x in self._placed() if each.label]

    @property
    def totals(self) -> dict[str, int]:
        return {name: sum(each.counts[name] for each in self.columns) for name in self.series}

    @property
    def in_words(self) -> str:
        return ", ".join(f"{self.series[name]} {total}" for name, total in self.totals.items())

    @property
    def points(self) -> list[Point]:
        """The shares, of the columns that have one."""
        return [
            Point(x, share_at(each.share), each.share)
            for each, x in self._placed()
            if each.share is not None
        ]

    @property
    def path(self) -> str:
        """The line through the points; a column without a share interrupts it."""
        steps, begins = [], True
        for each, x in self._placed():
            if each.share is not None:
                steps.append(f"{'M' if begins else 'L'}{x} {share_at(each.share)}")
            begins = each.share is None
        return "".join(steps)

    @property
    def share_lines(self) -> list[tuple[int, float]]:
        return [(share, share_at(share)) for share in (0, 50, 100)]

    def _placed(self) -> list[tuple[Column, float]]:
        """Each column and its middle."""
        return [(each, round((n + 0.5) * self._step, 1)) for n, each in enumerate(self.columns)]

    def _height(self, count: int) -> float:
        return round(max(count / self.top * (self.floor - TOP), 2 if count else 0), 1)


def _short(number: int) -> str:
    return f"{number // 1000}k" if number >= 10_000 else f"{number}"


def share_at(share: float) -> float:
    return round(LOW - LOW_BOTTOM - share / 100 * (LOW - LOW_TOP - LOW_BOTTOM), 1)


class Spark:
    """Bars as small as words: one number for each day."""

    height = SPARK

    def __init__(self, numbers: Sequence[int]) -> None:
        self.numbers = numbers
        self._step = 3 if len(numbers) > 10 else 12
        self.width = self._step * len(numbers) - 1

    @property
    def bars(self) -> list[Bar]:
        most = max(self.numbers, default=0)
        return [
            Bar("held", n * self._step, round(SPARK - height, 1), height, self._step - 1)
            for n, number in enumerate(self.numbers)
            if number and (height := round(max(number / most * SPARK, 1.5), 1))
        ]


def round_up(number: int) -> int:
    """Rounds up to a number for the scale: 2, 4, 10, 20, 40, 100, …"""
    scale = 1
    while True:
        for step in (2, 4, 10):
            if number <= step * scale:
                return step * scale
        scale *= 10

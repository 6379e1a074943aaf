"""Trends: what happened to reservations in the last 7 or 30 days, by day, product and warehouse.
Read from the days that the clock has counted, so a long history costs a page nothing."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import F, QuerySet, Sum
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import cached_property

from allo.admin_kit.chart import Chart, Column, Spark
from reservations.models import CountedDay, DayCount

PERIODS = (7, 30)
# Up to so many days each one has a label.
FEW = 7
SERIES = {"held": "Held", "confirmed": "Confirmed", "expired": "Expired"}
PRODUCT, WAREHOUSE = "inventory__product", "inventory__warehouse"
_COUNTED = ("held", "confirmed", "expired", "released", "confirmed_units", "confirmed_paise")
SUMS: dict[str, Any] = {name: Sum(name) for name in _COUNTED}


@dataclass
class Counts:
    held: int = 0
    confirmed: int = 0
    expired: int = 0
    released: int = 0
    confirmed_units: int = 0
    confirmed_paise: int = 0

    @property
    def ended(self) -> int:
        return self.confirmed + self.expired + self.released

    @property
    def conversion(self) -> int | None:
        """The percentage of those that ended which were confirmed."""
        return round(100 * self.confirmed / self.ended) if self.ended else None

    def add(self, row: Mapping[str, Any]) -> None:
        for name in _COUNTED:
            setattr(self, name, getattr(self, name) + row[name])


@dataclass
class Line:
    """One product or warehouse over the period. `code` names it in addresses."""

    code: str
    name: str
    counts: Counts = field(default_factory=Counts)
    by_day: dict[date, int] = field(default_factory=dict)
    days: list[date] = field(default_factory=list)

    @property
    def spark(self) -> Spark:
        """How much was held on each day."""
        return Spark([self.by_day.get(day, 0) for day in self.days])


class Trends:
    """The last `length` days, with what has happened today so far, and as many days before."""

    def __init__(self, length: int, counts: QuerySet[DayCount] | None = None) -> None:
        self.length = length
        today = timezone.localdate(timezone=timezone.get_default_timezone())
        self.days = [today - timedelta(days=ago) for ago in reversed(range(length))]
        self._before = self.days[0] - timedelta(days=length)
        since = DayCount.objects.all() if counts is None else counts
        self._counts = since.filter(day__gte=self._before, day__lte=today).order_by()
        self._period = self._counts.filter(day__gte=self.days[0])
        self._read()

    def _read(self) -> None:
        """By day and warehouse, for both periods: few rows, of which the totals are sums."""
        self.now, self.before = Counts(), Counts()
        self._by_day = {day: Counts() for day in self.days}
        self._warehouses: dict[str, Line] = {}
        names = {"code": F(f"{WAREHOUSE}__code"), "name": F(f"{WAREHOUSE}__name")}
        for row in self._counts.values("day", **names).annotate(**SUMS):
            if row["day"] < self.days[0]:
                self.before.add(row)
                continue
            self.now.add(row)
            self._by_day[row["day"]].add(row)
            line = self._warehouses.setdefault(row["code"], self._line(row))
            line.counts.add(row)
            line.by_day[row["day"]] = row["held"]

    def _line(self, row: Mapping[str, Any]) -> Line:
        return Line(row["code"], row["name"], days=self.days)

    @cached_property
    def counted_at(self) -> datetime | None:
        """Until when today is counted; None until the clock has counted at all."""
        days = CountedDay.objects.filter(day=self.days[-1])
        return days.values_list("counted_at", flat=True).first()

    @property
    def days_said(self) -> str:
        return f"{self.length} days"

    @property
    def chart(self) -> Chart:
        return Chart(self._columns(), SERIES)

    def _columns(self) -> Iterator[Column]:
        """Of 30 days every third has a label, counted back from today."""
        named, each = ("D j M", 1) if self.length <= FEW else ("j M", 3)
        for left, day in zip(reversed(range(self.length)), self.days, strict=True):
            counts = self._by_day[day]
            numbers = {name: getattr(counts, name) for name in SERIES}
            label = "" if left % each else date_format(day, named)
            yield Column(day, numbers, label, counts.conversion)

    @property
    def warehouses(self) -> list[Line]:
        return sorted(self._warehouses.values(), key=_most)

    def products(self, most: int | None = None) -> list[Line]:
        """Those with any reservation, the most held first."""
        names = {"code": F(f"{PRODUCT}__slug"), "name": F(f"{PRODUCT}__name")}
        sums = self._period.values(**names).annotate(**SUMS)
        lines = {}
        for row in sums.order_by("-held", "-confirmed", "name", "code")[:most]:
            lines[row["code"]] = line = self._line(row)
            line.counts.add(row)
        for row in self._held_of(lines):
            lines[row["code"]].by_day[row["day"]] = row["held"]
        return list(lines.values())

    def rows(self) -> Iterable[tuple[Any, ...]]:
        """The counts of each inventory row on each day: day, product, its name, warehouse,
        numbers."""
        slug, name, code = f"{PRODUCT}__slug", f"{PRODUCT}__name", f"{WAREHOUSE}__code"
        rows = self._period.order_by("day", slug, code)
        return rows.values_list("day", slug, name, code, *_COUNTED)

    def _held_of(self, codes: Iterable[str]) -> Iterable[dict[str, Any]]:
        rows = self._period.filter(**{f"{PRODUCT}__slug__in": list(codes)})
        return rows.values("day", code=F(f"{PRODUCT}__slug")).annotate(held=Sum("held"))


def _most(line: Line) -> tuple[int, int, str]:
    return -line.counts.held, -line.counts.confirmed, line.name

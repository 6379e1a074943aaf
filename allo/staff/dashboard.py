"""The admin's front page: the shop's state now, and what happened today.

Few queries, each bounded by what is held now or ended in the last day: the indexes on pending and
on ended rows find both without reading older history.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, PermissionsMixin
from django.db.models import Count, F, Min, Q, QuerySet, Sum
from django.db.models.functions import Coalesce, Now, TruncHour
from django.utils import timezone

from allo.outbox.models import Message
from inventory.models import Inventory
from inventory.shortages import FULLY_HELD, LOW, SOLD_OUT
from reservations.models import AuditRun, Reservation, Sweep

Status = Reservation.Status
User = AbstractBaseUser | AnonymousUser

HOURS = 24
# The clock sweeps at least every minute, and audits every night; without a run for this long it has
# stopped. Before this process started it may have been off.
SWEEP_LATE, AUDIT_LATE = timedelta(minutes=3), timedelta(hours=26)
STARTED = timezone.now()
LISTED = 8


def dashboard(user: User) -> dict[str, Any]:
    """The page's data, as far as this user may see it."""
    assert isinstance(user, PermissionsMixin)
    parts: dict[str, Any] = {}
    if user.has_perm("reservations.view_reservation"):
        parts |= _reservations()
    if user.has_perm("inventory.view_inventory"):
        parts["stock"] = _stock()
    if user.has_perm("reservations.view_sweep"):
        parts["sweep"] = _clock(Sweep.objects.order_by("-finished_at"), SWEEP_LATE)
    if user.has_perm("reservations.view_auditrun"):
        parts["audits"] = _audits()
    if user.has_perm("outbox.view_message"):
        parts["mail"] = _mail()
    return parts


# --- holds, now and today -----------------------------------------------------------------------


def _reservations() -> dict[str, Any]:
    now = timezone.localtime()
    this_hour = now.replace(minute=0, second=0, microsecond=0)
    since = this_hour - timedelta(hours=HOURS - 1)
    ended = _ended_by_hour(since)
    today = {status: _Total() for status in Status.values}
    for row in ended:
        if row["hour"].date() == now.date():
            today[row["status"]].add(row)
    finished = sum(total.count for total in today.values())
    return {
        "held": _held(),
        "today": today,
        "conversion": round(100 * today["confirmed"].count / finished) if finished else None,
        "finished": finished,
        "chart": Chart.of(this_hour, _created_by_hour(since), ended),
    }


@dataclass
class _Total:
    count: int = 0
    units: int = 0
    paise: int = 0

    def add(self, row: dict[str, Any]) -> None:
        self.count += row["count"]
        self.units += row["units"]
        self.paise += row["paise"]


WORTH = F("quantity") * F("unit_paise")
_SUMS: dict[str, Any] = {
    "count": Count("pk"),
    "units": Coalesce(Sum("quantity"), 0),
    "paise": Coalesce(Sum(WORTH), 0),
}


def _held() -> dict[str, Any]:
    late = Q(expires_at__lte=Now())
    return Reservation.objects.pending().aggregate(
        **{name: Coalesce(total, 0) for name, total in _live_sums(~late).items()},
        overdue=Count("pk", filter=late),
        oldest=Min("expires_at", filter=late),
    )


def _live_sums(live: Q) -> dict[str, Any]:
    return {
        "count": Count("pk", filter=live),
        "units": Sum("quantity", filter=live),
        "paise": Sum(WORTH, filter=live),
    }


def _ended_by_hour(since: datetime) -> list[dict[str, Any]]:
    ended = Reservation.objects.ended().filter(ended_at__gte=since).order_by()
    by_hour = ended.values("status", hour=TruncHour("ended_at"))
    return list(by_hour.annotate(**_SUMS))


def _created_by_hour(since: datetime) -> dict[datetime, int]:
    """Reservations made since then. They are pending, or have ended since then: both are
    indexed."""
    held = _count_created(Reservation.objects.pending(), since)
    for hour, count in _count_created(
        Reservation.objects.ended().filter(ended_at__gte=since), since
    ).items():
        held[hour] = held.get(hour, 0) + count
    return held


def _count_created(rows: QuerySet[Reservation], since: datetime) -> dict[datetime, int]:
    by_hour = rows.filter(created_at__gte=since).order_by().values(hour=TruncHour("created_at"))
    return dict(by_hour.annotate(count=Count("pk")).values_list("hour", "count"))


# --- the chart ----------------------------------------------------------------------------------

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
        return cls(hours, _round_up(most))

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


def _round_up(number: int) -> int:
    """Rounds up to a number for the scale: 2, 4, 10, 20, 40, 100, …"""
    scale = 1
    while True:
        for step in (2, 4, 10):
            if number <= step * scale:
                return step * scale
        scale *= 10


# --- stock and the clock ------------------------------------------------------------------------


def _stock() -> dict[str, Any]:
    counts = Inventory.objects.aggregate(
        low=Count("pk", filter=LOW),
        held=Count("pk", filter=FULLY_HELD),
        gone=Count("pk", filter=SOLD_OUT),
    )
    scarce = Inventory.objects.low().exclude(SOLD_OUT).with_available()
    listed = scarce.select_related("product", "warehouse").order_by(
        "available", "total_units", "pk"
    )
    return counts | {"rows": list(listed[:LISTED])}


def _clock(runs: QuerySet[Any], late: timedelta) -> dict[str, Any]:
    """The last run, and whether the next one should have come by now."""
    last = runs.first()
    since = max(last.finished_at, STARTED) if last else STARTED
    return {"last": last, "late": timezone.now() - since > late}


def _audits() -> list[tuple[AuditRun.Books, dict[str, Any]]]:
    """The last of each."""
    runs = AuditRun.objects.order_by("-pk")
    return [(books, _clock(runs.filter(books=books), AUDIT_LATE)) for books in AuditRun.Books]


def _mail() -> dict[str, Any]:
    found = {message.state: message for message in Message.objects.in_trouble()}
    return {"late": found.get("waiting"), "given_up": "given up" in found}

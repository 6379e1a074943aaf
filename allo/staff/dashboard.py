"""The admin's front page: the shop's state now, and what happened today.

Few queries, each bounded by what is held now or ended in the last day: the indexes on pending and
on ended rows find both without reading older history.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, PermissionsMixin
from django.db.models import Count, Min, Q, QuerySet, Sum
from django.db.models.functions import Coalesce, Now, TruncHour
from django.utils import timezone

from allo.admin_kit.chart import Chart, Column
from allo.outbox.hooks.catalogue import UNREAD
from allo.outbox.models import Delivery, Event, Message, Told, Webhook
from checkout.sales import WORTH
from checkout.staff import today
from checkout.unsettled import unsettled
from inventory.models import Inventory
from inventory.shortages import FULLY_HELD, LOW, SOLD_OUT
from reservations.models import AuditRun, Reservation, Sweep
from reservations.staff.trends import PERIODS, SERIES, Trends

Status = Reservation.Status
User = AbstractBaseUser | AnonymousUser

# The clock sweeps at least every minute, and audits every night; without a run for this long it has
# stopped. Before this process started it may have been off.
SWEEP_LATE, AUDIT_LATE = timedelta(minutes=3), timedelta(hours=26)
STARTED = timezone.now()
LISTED = 8
HOURS = 24


def dashboard(user: User, days: str = "") -> dict[str, Any]:
    """The page's data, as far as this user may see it, with the trends over so many days."""
    assert isinstance(user, PermissionsMixin)
    parts: dict[str, Any] = {}
    for permission, part in PARTS.items():
        if user.has_perm(permission):
            parts |= part()
    if user.has_perm("reservations.view_reservation"):
        parts |= _trends(days)
    return parts


def _trends(days: str) -> dict[str, Any]:
    """Over the shortest period unless another was chosen."""
    lengths = {f"{period}": period for period in PERIODS}
    trends = Trends(lengths.get(days, PERIODS[0]))
    return {"trends": trends, "periods": PERIODS, "products": trends.products(LISTED)}


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
        "chart": _chart(since, _created_by_hour(since), ended),
    }


def _chart(first: datetime, held: dict[datetime, int], ended: list[dict[str, Any]]) -> Chart:
    """Each hour of the last day."""
    counts = {(row["hour"], row["status"]): row["count"] for row in ended}
    columns = []
    for n in range(HOURS):
        at = first + timedelta(hours=n)
        of_hour = {name: counts.get((at, name), 0) for name in SERIES} | {"held": held.get(at, 0)}
        columns.append(Column(at, of_hour, "" if at.hour % 3 else f"{at:%H:%M}"))
    return Chart(columns, SERIES)


@dataclass
class _Total:
    count: int = 0
    units: int = 0
    paise: int = 0

    def add(self, row: dict[str, Any]) -> None:
        self.count += row["count"]
        self.units += row["units"]
        self.paise += row["paise"]


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


def _webhooks() -> dict[str, Any]:
    """What is wrong with them; nothing if the shop has none."""
    kept = {webhook.pk: webhook for webhook in Webhook.objects.kept()}
    if not kept:
        return {}
    unread = Event.objects.filter(subject=UNREAD)
    late: list[Delivery | Told] = [*Delivery.objects.late(), *Told.objects.late()]
    return {
        "paused": any(webhook.paused_at for webhook in kept.values()),
        "late": min(late, key=lambda each: each.created_at, default=None),
        "given_up": Delivery.objects.given_up().filter(webhook__in=kept).exists(),
        "unread": UNREAD if unread.exists() else "",
    }


PARTS: dict[str, Callable[[], dict[str, Any]]] = {
    "checkout.view_order": today.orders,
    "checkout.view_charge": lambda: {"unsettled": unsettled()},
    "reservations.view_reservation": _reservations,
    "inventory.view_inventory": lambda: {"stock": _stock()},
    "reservations.view_sweep": lambda: {
        "sweep": _clock(Sweep.objects.order_by("-finished_at"), SWEEP_LATE)
    },
    "reservations.view_auditrun": lambda: {"audits": _audits()},
    "outbox.view_message": lambda: {"mail": _mail()},
    "outbox.view_delivery": lambda: {"webhooks": _webhooks()},
}

"""Trends: the days that the clock has counted equal the history, and pages read them alone."""

import csv
import re
from datetime import date, datetime, timedelta
from io import StringIO
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from allo.postgresql import present
from catalog.models import Product
from inventory.models import Inventory
from inventory.staff import filters
from reservations.clock import days, forgetting
from reservations.clock.days import SPAN, count_days, midnight
from reservations.models import CountedDay, DayCount, Reservation
from tests.shopping import holding
from tests.staff.people import NOBODY, signed_in
from tests.stock import stocked

pytestmark = pytest.mark.django_db

COUNTED = ("held", "confirmed", "expired", "released", "confirmed_units", "confirmed_paise")
KOLKATA = ZoneInfo("Asia/Kolkata")
PAGE = "/admin/reservations/reservation/trends/"

Counts = dict[tuple[date, int], dict[str, int]]


def ended(
    row: Inventory, at: datetime, status: str, *, took: float = 60, units: int = 2
) -> Reservation:
    """A reservation that ended then, so many seconds after it was made."""
    created_at = at - timedelta(seconds=took)
    return Reservation(
        inventory=row, quantity=units, unit_paise=385_000, name="Vase", holder="visitor:x",
        status=status, created_at=created_at, expires_at=at + timedelta(hours=1), ended_at=at,
    )  # fmt: skip


def by_hand(zone: ZoneInfo = KOLKATA) -> Counts:
    """From every reservation there is, one by one."""
    found: Counts = {}
    for each in Reservation.objects.all():
        for what, at in (("held", each.created_at), (each.status, each.ended_at)):
            if at is not None:
                key = (timezone.localdate(at, zone), each.inventory_id)
                counts = found.setdefault(key, dict.fromkeys(COUNTED, 0))
                counts[what] += 1
                if what == "confirmed":
                    counts["confirmed_units"] += each.quantity
                    counts["confirmed_paise"] += each.total_paise
    return found


def counted() -> Counts:
    rows = DayCount.objects.values("day", "inventory", *COUNTED)
    return {(row.pop("day"), row.pop("inventory")): row for row in rows}


@pytest.fixture
def today() -> date:
    return timezone.localdate(timezone=KOLKATA)


@pytest.fixture
def past(today) -> list[Inventory]:
    """Reservations of each state on many days, some around midnight, in two rows of stock, and
    one that is held now."""
    rows = [stocked(50, product="vase"), stocked(50, product="bowl", warehouse="del-01")]
    happened = []
    for n in range(SPAN):
        begin = midnight(today - timedelta(days=n))
        for k, status in enumerate(("confirmed", "expired", "released", "confirmed")):
            if n % (k + 2) != 1:
                at = begin + timedelta(seconds=k)
                happened.append(ended(rows[(n + k) % 2], at, status, units=k + 1))
    Reservation.objects.bulk_create(happened)
    holding(Client(), rows[0])
    return rows


def at_hour(monkeypatch, moment: datetime) -> None:
    monkeypatch.setattr(present, "now", lambda: moment)


def test_each_day_equals_its_history_to_the_second(past, today) -> None:
    count_days()
    first = today - timedelta(days=SPAN - 1)
    expected = {key: counts for key, counts in by_hand().items() if key[0] >= first}
    assert len(expected) > SPAN
    assert counted() == expected
    assert list(CountedDay.objects.values_list("day", flat=True)) == [
        first + timedelta(days=n) for n in range(SPAN)
    ]


def test_a_later_run_reads_no_day_that_is_final(past, today, monkeypatch) -> None:
    noon = midnight(today) + timedelta(hours=12)
    at_hour(monkeypatch, noon)
    count_days()
    before = counted()
    ended(past[0], noon - timedelta(hours=1), "confirmed").save()
    # No transaction is so late.
    ended(past[0], noon - timedelta(days=1), "confirmed").save()
    with CaptureQueriesContext(connection) as queries:
        count_days()
    [count] = [query["sql"] for query in queries if "WITH days" in query["sql"]]
    assert (f"{today}" in count, f"{today - timedelta(days=1)}" in count) == (True, False)
    assert {key for key, row in counted().items() if before.get(key) != row} == {
        (today, past[0].pk)
    }


def test_what_commits_after_midnight_is_still_counted(past, today, monkeypatch) -> None:
    tomorrow = midnight(today + timedelta(days=1))
    at_hour(monkeypatch, tomorrow + timedelta(minutes=10))
    count_days()
    ended(past[1], tomorrow - timedelta(seconds=1), "expired", took=0.5).save()
    at_hour(monkeypatch, tomorrow + timedelta(hours=2))
    count_days()
    assert counted()[today, past[1].pk] == by_hand()[today, past[1].pk]
    assert CountedDay.objects.get(day=today).is_final


def test_who_held_is_forgotten_and_the_days_stay(past) -> None:
    count_days()
    before = counted()
    forgetting.forget_visitors(Reservation.objects.ended())
    CountedDay.objects.update(counted_at=None)
    count_days()
    assert not Reservation.objects.ended().exclude(holder="nobody").exists()
    assert counted() == before


@pytest.mark.parametrize("zone", ["America/New_York", "Africa/Cairo"])
def test_days_are_counted_anew_in_another_time_zone(past, settings, zone) -> None:
    count_days()
    settings.TIME_ZONE = zone
    count_days()
    shown = set(CountedDay.objects.values_list("day", flat=True))
    expected = by_hand(ZoneInfo(zone))
    assert counted() == {key: counts for key, counts in expected.items() if key[0] in shown}


def test_days_meet_where_clocks_change(settings) -> None:
    settings.TIME_ZONE = "Africa/Cairo"  # summer time begins there at midnight
    spring = datetime(2026, 5, 20, 12, tzinfo=KOLKATA)
    calendar = list(days._calendar(spring))
    hours = [(each.ends_at - each.begins_at) // timedelta(hours=1) for each in calendar]
    lengths = {
        each.day: (each.ends_at.timestamp() - each.begins_at.timestamp()) / 3600
        for each in calendar
    }
    assert lengths[date(2026, 4, 24)] == 23
    assert hours.count(24) >= SPAN - 1
    ends = [each.ends_at for each in calendar[:-1]]
    assert ends == [each.begins_at for each in calendar[1:]]


def test_days_that_no_page_reads_are_deleted(today) -> None:
    old = today - timedelta(days=SPAN)
    day = CountedDay.objects.create(day=old, begins_at=midnight(old), ends_at=midnight(today))
    DayCount.objects.create(day=day, inventory=stocked(1), **dict.fromkeys(COUNTED, 1))
    count_days()
    assert (DayCount.objects.count(), CountedDay.objects.count()) == (0, SPAN)


# --- the pages ----------------------------------------------------------------------------------


@pytest.fixture
def viewer() -> Client:
    return signed_in("Viewer")


def shown(viewer: Client, address: str):
    return viewer.get(address).context["trends"]


@pytest.mark.parametrize("length", [7, 30])
def test_the_dashboard_sums_the_period_and_the_one_before(past, today, viewer, length) -> None:
    count_days()
    trends = shown(viewer, f"/admin/?days={length}")

    def total(name: str, first: int, last: int) -> int:
        return sum(
            row[name] for (day, _), row in by_hand().items() if first <= (today - day).days <= last
        )

    for name in COUNTED:
        assert getattr(trends.now, name) == total(name, 0, length - 1)
        assert getattr(trends.before, name) == total(name, length, 2 * length - 1)
    assert trends.chart.totals["held"] == trends.now.held
    assert len(trends.chart.columns) == length
    for lines in (trends.products(), trends.warehouses):
        assert sum(line.counts.held for line in lines) == trends.now.held
        assert [sum(line.spark.numbers) for line in lines] == [line.counts.held for line in lines]


def test_a_page_reads_days_and_no_reservation(past, viewer) -> None:
    count_days()
    with CaptureQueriesContext(connection) as queries:
        viewer.get(PAGE)
    assert not [q["sql"] for q in queries if "reservations_reservation" in q["sql"]]


def test_trends_of_one_product_or_one_warehouse(past, viewer, monkeypatch) -> None:
    count_days()
    rows = DayCount.objects.filter(inventory=past[1])
    for asked in ("product=bowl", "warehouse=del-01", "product=Bowl&warehouse=del-01"):
        trends = shown(viewer, f"{PAGE}?days=30&{asked}")
        assert [line.name for line in trends.products()] == ["Bowl"]
        assert trends.now.held == sum(
            row.held for row in rows.filter(day__in=trends.days).order_by()
        )
    assert shown(viewer, f"{PAGE}?product=bowl&warehouse=blr-01").now.held == 0
    # Of however many rows of stock.
    monkeypatch.setattr(filters, "VALUES_AT_MOST", 1)
    whole, named = (shown(viewer, f"{PAGE}?days=30{of}") for of in ("", "&product=vases"))
    assert named.now.held == whole.now.held > trends.now.held


def test_the_file_has_each_day_of_each_row(past, today, viewer) -> None:
    count_days()
    Product.objects.filter(slug="vase").update(name="=1+1")
    file = b"".join(viewer.get(f"{PAGE}csv/?days=7").streaming_content).decode()
    header, *rows = csv.reader(StringIO(file.removeprefix("\ufeff")))
    assert header[:4] == ["day", "product", "name", "warehouse"]
    assert len(rows) == sum(1 for day, _ in by_hand() if (today - day).days < 7)
    assert {row[2] for row in rows} == {"'=1+1", "Bowl"}
    assert sum(int(row[4]) for row in rows) == shown(viewer, "/admin/").now.held


@pytest.mark.parametrize(
    ("asked", "status"),
    [("days=8", 422), ("days=x", 422), ("warehouse=nowhere", 422), ("product=%00", 422),
     ("product=zzz", 200), ("product=" + "x" * 200, 422), ("", 200)],
)  # fmt: skip
def test_what_is_asked_for_wrongly_is_refused_in_words(viewer, asked, status) -> None:
    assert viewer.get(f"{PAGE}?{asked}").status_code == status
    assert viewer.get(f"{PAGE}csv/?{asked}").status_code == status
    assert viewer.get(f"/admin/?{asked}").status_code == 200


def test_before_the_clock_has_counted_the_page_says_so(viewer) -> None:
    page = viewer.get("/admin/").content.decode()
    assert "The clock has not counted today yet" in page
    count_days()
    page = viewer.get("/admin/").content.decode()
    assert re.search(r"Today is counted until <time [^>]+>\d\d:\d\d IST</time>", page)


def test_only_those_see_trends_who_see_reservations() -> None:
    assert signed_in("Packer").get(PAGE).status_code == 403
    nobody = signed_in(NOBODY)
    assert nobody.get(PAGE).status_code == 403
    assert "trends" not in nobody.get("/admin/").context

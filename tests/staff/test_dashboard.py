"""The admin's front page: right numbers, few queries, and only what the user may see."""

import re
from collections.abc import Iterator
from datetime import timedelta
from xml.etree import ElementTree as ET

import pytest
from django.test import Client
from django.utils import timezone
from django.utils.html import strip_tags

from allo.admin_kit.chart import round_up
from allo.outbox.models import TRIES, Message
from allo.staff import dashboard
from reservations import services
from reservations.clock.days import count_days
from reservations.models import AuditRun, Reservation, Sweep
from tests.outbox.letters import written
from tests.shopping import holding
from tests.staff.people import NOBODY, person, signed_in
from tests.stock import pass_time, stocked

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _noon() -> Iterator[None]:
    """A time zone where it is noon, so that "today" neither just began nor is about to end."""
    with timezone.override(f"Etc/GMT{timezone.now().hour - 12:+d}"):
        yield


@pytest.fixture
def day(client) -> None:
    """Two live, one of them overdue; two confirmed, one released, one expired."""
    holds = [holding(Client(), stocked(9, product=f"vase-{n}"), 2) for n in range(6)]
    for hold in holds[:2]:
        services.confirm(reservation_id=hold.pk)
    services.release(reservation_id=holds[2].pk)
    pass_time(601, pk=holds[3].pk)
    services.get(reservation_id=holds[3].pk)
    pass_time(660, pk=holds[4].pk)


def shown(role: str = "Viewer"):
    return signed_in(role).get("/admin/").context


def test_the_numbers_of_the_day(day) -> None:
    page = shown()
    held = page["held"]
    assert (held["count"], held["units"], held["paise"]) == (1, 2, 2 * 385_000)
    assert held["overdue"] == 1
    assert 59 < (timezone.now() - held["oldest"]).total_seconds() < 90
    counts = {status: total.count for status, total in page["today"].items()}
    assert counts == {"pending": 0, "confirmed": 2, "released": 1, "expired": 1}
    assert (page["today"]["confirmed"].units, page["today"]["confirmed"].paise) == (4, 4 * 385_000)
    assert (page["conversion"], page["finished"]) == (50, 4)


def test_the_dashboard_works_without_any_reservation() -> None:
    page = shown()
    assert (page["conversion"], page["held"]["count"], page["held"]["paise"]) == (None, 0, 0)


def test_the_chart_counts_each_hour_and_can_be_read_as_a_table(day) -> None:
    chart = shown()["chart"]
    assert len(chart.columns) == 24
    assert chart.totals == {"held": 6, "confirmed": 2, "expired": 1}
    assert chart.columns[-1].counts["confirmed"] == 2
    tallest = max(bar.height for bar in chart.bars)
    assert 0 < tallest <= chart.floor


def test_yesterday_is_in_the_chart_but_not_in_today(day) -> None:
    long_ago = timezone.now() - timedelta(hours=20)
    assert timezone.localdate(long_ago) < timezone.localdate()
    row = stocked(5, product="old")
    Reservation.objects.create(
        inventory=row, quantity=1, unit_paise=1, name="Old", holder="session:x", status="expired",
        created_at=long_ago - timedelta(minutes=10), expires_at=long_ago, ended_at=long_ago,
    )  # fmt: skip
    page = shown()
    assert page["today"]["expired"].count == 1
    assert page["chart"].totals["expired"] == 2


def test_the_svg_is_well_formed_and_has_words(day) -> None:
    page = signed_in("Viewer").get("/admin/").content.decode()
    svg = page[page.index('<svg class="chart"') :]
    svg = svg[: svg.index("</svg>") + 6]
    drawing = ET.fromstring(svg)  # noqa: S314
    assert drawing.get("role") == "img"
    assert drawing.find("title") is not None
    assert len(drawing.findall("rect")) == len(shown("Support")["chart"].bars)
    assert "style=" not in page


@pytest.mark.parametrize(
    ("most", "top"), [(0, 2), (1, 2), (3, 4), (5, 10), (11, 20), (99, 100), (401, 1000)]
)
def test_the_axis_ends_at_a_number_that_reads_well(most, top) -> None:
    assert round_up(most) == top


def test_shelves_that_run_low_come_with_what_is_left(client) -> None:
    stocked(2, product="low")
    stocked(0, product="gone")
    stocked(50, product="plenty")
    holding(Client(), stocked(1, product="held"))
    stock = shown()["stock"]
    assert (stock["low"], stock["gone"], stock["held"]) == (3, 1, 1)
    assert [row.product.slug for row in stock["rows"]] == ["held", "low"]


def clock(role: str = "Viewer") -> list[str]:
    """What the page says of the last sweep and the last audit of stock."""
    page = signed_in(role).get("/admin/").content.decode()
    found = re.findall(r"<dt>Last (?:sweep|audit of stock)</dt>\s*<dd>(.*?)</dd>", page, re.DOTALL)
    return [" ".join(strip_tags(words).split()) for words in found]


def test_a_clock_that_just_started_is_not_taken_for_a_stopped_one(monkeypatch) -> None:
    now = timezone.now()
    monkeypatch.setattr(dashboard, "STARTED", now)
    assert clock() == ["not yet", "not yet, it runs every night"]
    long_ago = now - timedelta(hours=30)
    Sweep.objects.create(started_at=long_ago, finished_at=long_ago, expired=0)
    AuditRun.objects.create(started_at=long_ago, finished_at=long_ago)
    ago = "1 day, 6 hours ago"
    assert clock("Support") == [ago, f"{ago} the books balance"]
    monkeypatch.setattr(dashboard, "STARTED", now - timedelta(hours=27))
    assert clock("Manager") == [f"{ago} stopped?", f"{ago} the books balance stopped?"]


def test_a_stopped_clock_is_reported(monkeypatch) -> None:
    now = timezone.now()
    monkeypatch.setattr(dashboard, "STARTED", now - timedelta(hours=27))
    assert clock() == ["never stopped?", "never stopped?"]
    Sweep.objects.create(started_at=now, finished_at=now, expired=0)
    swept, audited = clock("Support")
    assert re.fullmatch("now|a second ago|[0-9]+ seconds ago", swept.replace("\xa0", " "))
    assert audited == "never stopped?"
    Sweep.objects.update(finished_at=now - timedelta(minutes=4))
    assert clock("Manager") == ["4 minutes ago stopped?", "never stopped?"]


def test_the_last_audit_of_each_of_the_books_says_what_it_found() -> None:
    now = timezone.now()
    for books, count in (("money", 0), ("stock", 0), ("money", 2), ("money", 1)):
        findings = ["P1 order AL-0: found x"] * count
        AuditRun.objects.create(started_at=now, finished_at=now, books=books, findings=findings)
    viewer = signed_in("Viewer")
    page = viewer.get("/admin/").content.decode()
    words = ("audit of stock", "audit of money", "1 finding<", "2 findings", "the books balance")
    assert [text in page for text in words] == [True, True, True, False, True]
    run = AuditRun.objects.latest("pk")
    page = viewer.get(f"/admin/reservations/auditrun/{run.pk}/change/").content.decode()
    assert "P1 order AL-0: found x" in page


def test_mail_that_is_late_or_given_up_is_shown() -> None:
    viewer = signed_in("Viewer")
    assert "none is late" in viewer.get("/admin/").content.decode()
    written("late", minutes=20)
    page = viewer.get("/admin/").content.decode()
    assert ("the oldest waits for 20\xa0minutes" in page, "given up" in page) == (True, False)
    Message.objects.update(tries=TRIES)
    page = viewer.get("/admin/").content.decode()
    assert ("none is late" in page, "some given up" in page) == (True, True)
    written("late again", minutes=20)
    page = viewer.get("/admin/").content.decode()
    assert ("none is late" in page, "some given up" in page) == (False, True)


def test_an_account_without_a_role_sees_no_numbers(day) -> None:
    response = signed_in(NOBODY).get("/admin/")
    assert "You have no role yet" in response.content.decode()
    assert "held" not in response.context
    assert dashboard.dashboard(person("Viewer"))


def test_few_queries_however_much_there_is(day, django_assert_max_num_queries) -> None:
    count_days()
    client = signed_in("Viewer")
    client.get("/admin/")
    with django_assert_max_num_queries(27):
        client.get("/admin/")

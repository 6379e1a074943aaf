"""Openings: nobody holds any before, the pages say when, and the moment itself turns them."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.db.models import F
from django.utils import timezone

from catalog.models import Product
from catalog.openings import in_words
from inventory.models import Inventory
from reservations import services
from reservations.engine.books import Books
from reservations.engine.commands import Holder, Reserve
from reservations.engine.stock import Stock
from reservations.exceptions import NotOpen
from reservations.models import IdempotencyKey, Reservation
from tests.reservations.test_verbs import hold
from tests.shopping import HTMX, holding, key, press_reserve
from tests.stock import stocked

NOW = datetime(2026, 12, 3, 12, 30, tzinfo=UTC)
WHEN = "Thursday 3 December 2026 at 18:00 IST"
on_the_shelf = pytest.mark.django_db


def opening(seconds: float = 3600, units: int = 9, **more) -> Inventory:
    """A product that opens so many seconds from now."""
    row = stocked(units)
    moment = timezone.now() + timedelta(seconds=seconds)
    Product.objects.update(**{"opens_at": moment, **more})
    return Inventory.objects.select_related("product", "warehouse").get(pk=row.pk)


def moment_of(row: Inventory) -> datetime:
    assert row.product.opens_at
    return row.product.opens_at


def opens_now() -> None:
    Product.objects.update(opens_at=timezone.now() - timedelta(seconds=1))


# --- the rule -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("left", "seconds"), [(1, 1), (1_000_000, 1), (1_000_001, 2)])
def test_until_the_last_microsecond_by_the_clock_of_the_books_it_is_refused(left, seconds) -> None:
    books = shelf(NOW + timedelta(microseconds=left))
    with pytest.raises(NotOpen) as refusal:
        reserve().decide(books)
    assert refusal.value.seconds == seconds
    assert books.held == []


@pytest.mark.parametrize("opens_at", [None, NOW, NOW - timedelta(microseconds=1)])
def test_from_the_opening_on_it_is_held(opens_at) -> None:
    assert reserve().decide(shelf(opens_at)).quantity == 1


def shelf(opens_at: datetime | None) -> Books:
    stock = Stock(1, 7, 9, 0, 0)
    stock.describe(385_000, "Tidal", None, opens_at, NOW, 9, [1])
    return Books(NOW, [stock])


def reserve() -> Reserve:
    return Reserve(rows=(1,), quantity=1, holder=Holder("user:1"))


@on_the_shelf
def test_more_is_refused_before_the_opening_and_everything_else_about_a_hold_is_not() -> None:
    row = stocked(9)
    held = hold(row, 2)
    Product.objects.update(opens_at=timezone.now() + timedelta(hours=1))
    assert hold(row, 2).pk == held.pk
    with pytest.raises(NotOpen):
        services.change(reservation_id=held.pk, quantity=3)
    with pytest.raises(NotOpen):
        hold(row, 1, "session:b")
    services.change(reservation_id=held.pk, quantity=1)
    services.renew(reservation_id=held.pk)
    services.adopt(account="user:7", visitor=held.holder)
    assert services.confirm(reservation_id=held.pk).status == "confirmed"


# --- the form -----------------------------------------------------------------------------------


@on_the_shelf
@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "part"])
def test_a_form_that_comes_too_early_says_when_and_holds_later_with_the_same_key(
    client, headers
) -> None:
    row, once = opening(opens_at=NOW + timedelta(days=36500)), key()
    early = press_reserve(client, row, idempotency_key=once, headers=headers)
    assert early.status_code == 409
    page = early.content.decode()
    assert "It is not open yet." in page
    assert f"It opens on {in_words(moment_of(row))}. Nobody can hold any before." in page
    assert not IdempotencyKey.objects.exists()
    opens_now()
    late = press_reserve(client, row, idempotency_key=once)
    assert (late.status_code, Reservation.objects.count()) == (303, 1)


@on_the_shelf
def test_a_program_that_comes_too_early_learns_when_and_holds_later_with_the_same_key(
    client,
) -> None:
    row = opening(100.5)
    call = {
        "path": "/api/reservations",
        "data": {"product": "tidal", "quantity": 1},
        "content_type": "application/json",
        "headers": {"Idempotency-Key": key()},
    }
    early = client.post(**call)
    problem = early.json()
    assert (early.status_code, problem["code"]) == (409, "not_open")
    assert datetime.fromisoformat(problem["opens_at"]) == moment_of(row)
    assert 60 <= problem["retry_after"] <= 101
    assert early.headers["Retry-After"] == str(problem["retry_after"])
    opens_now()
    assert client.post(**call).status_code == 201


@on_the_shelf
def test_programs_read_the_opening_of_each_product(client) -> None:
    row = opening()
    stocked(1, product="reef")
    found = client.get("/api/products?sort=name").json()["results"]
    by_slug = {product["slug"]: product["opens_at"] for product in found}
    moment = moment_of(row).isoformat().replace("+00:00", "Z")
    assert by_slug == {"tidal": moment, "reef": None}
    assert client.get("/api/products/tidal").json()["opens_at"] == moment


# --- pages --------------------------------------------------------------------------------------


def in_sight(page: str) -> set[str]:
    """The states whose parts are shown in the panel or the form."""
    parts = re.findall(r'<\w+[^>]*data-when="([^"]+)"([^>]*)>', page)
    shown = [set(states.split()) for states, rest in parts if "hidden" not in rest]
    return set().union(*(states for states in shown if len(states) < 3))


@on_the_shelf
@pytest.mark.parametrize("address", ["/p/tidal/", "/p/tidal/stock/", "/p/tidal/reserve/"])
def test_a_page_shows_the_time_before_the_opening_and_what_can_be_reserved_after(
    client, address
) -> None:
    row = opening(200_000, opens_at=NOW + timedelta(days=36500), max_per_customer=2)
    before = client.get(address).content.decode()
    assert in_sight(before) == {"opening"}
    assert in_words(moment_of(row)) in before
    assert f'data-opens="{row.product_id}"' in before
    assert 'href="/p/tidal/opening.ics"' in before
    assert "At most 2 for each customer" in before
    # What the clock turns to is there already.
    assert 'data-when="in_stock few"' in before
    opens_now()
    after = client.get(address).content.decode()
    assert in_sight(after) == {"in_stock", "few"}
    assert "data-opens=" not in after


@on_the_shelf
@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(90_060, ["01 days", "01 hours", "01 minutes"]), (3660, ["01 hours", "01 minutes"]),
     (60, ["01 minutes"])],
)  # fmt: skip
def test_days_and_hours_that_are_over_are_not_shown(client, monkeypatch, seconds, shown) -> None:
    opening()
    monkeypatch.setattr(Product, "seconds_to_opening", seconds)
    page = client.get("/p/tidal/").content.decode()
    clock = re.search(r'<time class="opening-clock.*?</time>', page, re.DOTALL)
    assert clock
    found = re.findall(r"<span (\w*) ?><b>(\d\d)</b> (\w+)", clock[0])
    in_sight = [f"{left} {name}" for hidden, left, name in found if not hidden]
    assert in_sight == [*shown, "00 seconds"]


@on_the_shelf
def test_a_card_says_when_it_opens_and_then_what_is_left(client) -> None:
    row = opening()
    card = client.get("/").content.decode()
    assert re.search(rf'Opens <time [^>]*data-opens="{row.product_id}"', card)
    assert "js/opening" in card
    opens_now()
    card = client.get("/").content.decode()
    assert " left</span>" in card
    assert "js/opening" not in card


@on_the_shelf
def test_search_engines_are_told_from_when_on_it_is_available(client) -> None:
    row = opening()
    page = client.get("/p/tidal/").content.decode()
    assert '"availability": "https://schema.org/OutOfStock"' in page
    starts = re.search('"availabilityStarts": "([^"]+)"', page)
    assert starts
    assert datetime.fromisoformat(starts[1]) == moment_of(row)


# --- the calendar -------------------------------------------------------------------------------


def entry(client) -> dict[str, str]:
    """The fields of the calendar's event; checks what RFC 5545 says of lines."""
    answer = client.get("/p/tidal/opening.ics")
    assert answer.headers["Content-Type"] == "text/calendar; charset=utf-8"
    assert answer.content.endswith(b"\r\n")
    lines = answer.content.split(b"\r\n")
    assert max(map(len, lines)) <= 75
    assert b"\n" not in b"".join(lines)
    for line in lines:
        line.decode()
    text = b"\r\n".join(lines).decode().replace("\r\n ", "")
    event = text.partition("BEGIN:VEVENT\r\n")[2].partition("BEGIN:VALARM")[0]
    return dict(line.split(":", 1) for line in event.split("\r\n") if line)


@on_the_shelf
def test_a_calendar_gets_the_opening_in_utc_with_escaped_words(client) -> None:
    name = "Vase; of “glass”, \\ " + "ü" * 40
    row = opening(opens_at=NOW, name=name, tagline="One,\ntwo")
    found = entry(client)
    assert (found["DTSTART"], found["DTEND"]) == ("20261203T123000Z", "20261203T124500Z")
    assert found["SUMMARY"] == ("Vase\\; of “glass”\\, \\\\ " + "ü" * 40 + " opens at Allo")
    assert found["DESCRIPTION"] == "One\\,\\ntwo"
    assert found["URL"] == "http://testserver/p/tidal/"
    set_at = row.product.opening_set_at.astimezone(UTC)
    assert found["DTSTAMP"] == f"{set_at:%Y%m%dT%H%M%SZ}"


@on_the_shelf
def test_an_opening_that_was_moved_replaces_the_entry_and_another_change_does_not(client) -> None:
    row = opening(opens_at=NOW)
    # As if the product were an hour old.
    Product.objects.update(
        created_at=F("created_at") - timedelta(hours=1),
        opening_set_at=F("created_at") - timedelta(hours=1),
    )
    first = entry(client)
    Product.objects.update(tagline="Another", opens_at=NOW)
    assert entry(client) == {**first, "DESCRIPTION": "Another"}
    Product.objects.filter(pk=row.product_id).update(opens_at=NOW + timedelta(days=1))
    moved = entry(client)
    assert moved["UID"] == first["UID"]
    assert (first["DTSTART"], moved["DTSTART"]) == ("20261203T123000Z", "20261204T123000Z")
    assert int(first["SEQUENCE"]) == 0
    assert int(moved["SEQUENCE"]) >= 3600
    assert moved["DTSTAMP"] > first["DTSTAMP"]


@on_the_shelf
def test_there_is_no_entry_without_an_opening_or_for_what_is_not_in_the_shop(client) -> None:
    opening(opens_at=None)
    assert client.get("/p/tidal/opening.ics").status_code == 404
    Product.objects.update(opens_at=NOW, published_at=None)
    assert client.get("/p/tidal/opening.ics").status_code == 404
    Product.objects.update(published_at=NOW - timedelta(days=999), slug="flow")
    assert client.get("/p/tidal/opening.ics").headers["Location"] == "/p/flow/opening.ics"
    assert client.post("/p/flow/opening.ics").status_code == 405


# --- staff --------------------------------------------------------------------------------------


@on_the_shelf
def test_staff_see_the_page_as_it_will_be_and_cannot_reserve_there_either(admin_client) -> None:
    row = opening()
    page = admin_client.get("/p/tidal/?preview").content.decode()
    assert in_sight(page) == {"in_stock", "few"}
    assert "this is the page once it is open" in page
    assert in_words(moment_of(row)) in page
    assert press_reserve(admin_client, row).status_code == 409
    assert in_sight(admin_client.get("/p/tidal/").content.decode()) == {"opening"}
    opens_now()
    assert "this is in the shop" in admin_client.get("/p/tidal/?preview").content.decode()


@on_the_shelf
def test_what_was_reserved_before_the_opening_was_moved_can_still_be_paid_for(client) -> None:
    row = stocked(3)
    held = holding(client, row)
    Product.objects.update(opens_at=timezone.now() + timedelta(hours=1))
    page = client.get("/p/tidal/").content.decode()
    assert f'href="/checkout/{held.pk}/"' in page
    form = client.get("/p/tidal/reserve/").content.decode()
    assert "Choose how many you want there in all" in form
    assert User.objects.count() == 0
    assert client.get(f"/checkout/{held.pk}/").status_code == 200

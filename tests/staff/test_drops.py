"""Drops: staff set an opening, move it, and watch what becomes of the units."""

import re
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client, TestCase
from django.utils import timezone

from allo.live import tallies
from allo.redis_client import redis_client
from catalog.models import Drop, Product
from catalog.openings import in_words
from inventory.models import Inventory
from reservations import services
from reservations.clock.expiry import expire_due
from reservations.engine import refused
from reservations.exceptions import ReservationError
from reservations.models import Reservation
from tests.reservations.test_verbs import hold
from tests.shopping import HTMX
from tests.staff.people import signed_in
from tests.staff.test_products import saved
from tests.stock import pass_time, stocked

pytestmark = pytest.mark.django_db

LIST = "/admin/catalog/drop/"


def drop(units: int = 9, *, opened: float = 60) -> Inventory:
    """A product that opened so many seconds ago."""
    row = stocked(units)
    Product.objects.update(opens_at=timezone.now() - timedelta(seconds=opened))
    return Inventory.objects.select_related("product", "warehouse").get(pk=row.pk)


def page_of(row: Inventory, client: Client, **more) -> str:
    answer = client.get(f"{LIST}{row.product_id}/change/", **more)
    assert answer.status_code == 200
    return answer.content.decode()


def tiles(page: str) -> dict[str, tuple[str, str]]:
    """Number and note of each tile, by its name."""
    found = re.findall(
        r'tile-name">(.*?)</span>\s*<strong class="tile-number">(.*?)</strong>'
        r'\s*<span class="tile-note">(.*?)</span>',
        page,
        re.DOTALL,
    )
    return {name: (number, note) for name, number, note in found}


def try_to(row: Inventory, quantity: int, holder: str) -> None:
    with TestCase.captureOnCommitCallbacks(execute=True), pytest.raises(ReservationError):
        hold(row, quantity, holder)


@pytest.fixture(autouse=True)
def _counts():
    """What this test refuses is counted when it says so, and is not counted on."""
    yield
    tallies._tallies.flush()
    for name in redis_client().scan_iter("refused:*"):
        redis_client().delete(name)


# --- the numbers --------------------------------------------------------------------------------


def test_the_page_of_a_drop_shows_what_became_of_its_units(admin_client) -> None:
    # Before the opening.
    services.release(reservation_id=hold(stocked(9), 1, "user:2").pk)
    Product.objects.update(opens_at=timezone.now())
    row = Inventory.objects.get()
    services.confirm(reservation_id=hold(row, 2, "user:1").pk)
    hold(row, 3, "user:3")
    pass_time(3601)
    expire_due()
    hold(row, 4, "user:4")
    for n in range(3):
        try_to(row, 9, f"user:{n + 5}")
    # Of another product.
    hold(stocked(5, product="reef"), 2, "user:9")
    tallies._tallies.flush()
    shown = tiles(page_of(row, admin_client))
    assert shown["Open since"][1].endswith("minutes ago")
    assert shown["Free"] == ("3", "of 7 on the shelves")
    assert shown["Held"] == ("4", "0 being paid for")
    assert shown["Sold"] == ("2", "2 in the last minute")
    assert shown["Lapsed"] == ("3", "3 in the last minute")
    assert shown["Given back"] == ("0", "0 in the last minute")
    assert shown["Refused"] == ("3", "attempts to reserve")
    assert "Waiting" not in shown


def test_refusals_are_counted_by_reason_once_they_are_committed(admin_client) -> None:
    row = drop(opened=-3600)
    opens_at = row.product.opens_at
    assert opens_at
    for n in range(2):
        try_to(row, 1, f"user:{n}")
    Product.objects.update(opens_at=opens_at - timedelta(hours=2))
    row.product = Product.objects.get()
    hold(row, 9, "user:1")
    try_to(row, 1, "user:2")
    try_to(row, 1, "user:1")
    # Only drops are counted, and only attempts to hold more.
    try_to(stocked(1, product="reef"), 2, "user:2")
    with TestCase.captureOnCommitCallbacks(execute=True), pytest.raises(ReservationError):
        services.change(reservation_id=hold_of("user:1"), quantity=10)
    tallies._tallies.flush()
    moved, opens_at = opens_at, row.product.opens_at
    assert opens_at
    assert refused.of(row.product_id, moved) == {"not_open": 2}
    assert refused.of(row.product_id, opens_at) == {"insufficient_stock": 2, "already_held": 1}
    page = page_of(row, admin_client)
    assert tiles(page)["Refused"][0] == "3"
    reasons = re.findall(r'row">(.*?)</th><td class="number">(\d+)</td>', page)
    assert reasons == [("Too few were left", "2"), ("Held some already", "1")]


def hold_of(holder: str):
    return Reservation.objects.get(holder=holder).pk


def test_without_redis_the_page_says_so_and_the_count_is_made_up_later(
    admin_client, settings
) -> None:
    row, ours = drop(1), settings.REDIS_URL
    redis_client.cache_clear()
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    try_to(row, 2, "user:1")
    tallies._tallies.flush()
    assert tiles(page_of(row, admin_client))["Refused"] == ("–", "Redis does not answer")
    redis_client.cache_clear()
    settings.REDIS_URL = ours
    tallies._tallies.flush()
    assert tiles(page_of(row, admin_client))["Refused"][0] == "1"


def test_htmx_gets_the_numbers_alone_and_before_the_opening_they_count_down(admin_client) -> None:
    row = drop(opened=-3600)
    part = page_of(row, admin_client, headers=HTMX)
    assert "<html" not in part
    assert set(tiles(part)) > {"Opens in", "Free", "Held"}
    assert row.product.opens_at
    assert f'data-until="{row.product.opens_at.timestamp():.6f}"' in part


def test_once_a_drop_or_the_session_has_ended_the_whole_page_goes_on(admin_client) -> None:
    row = drop()
    address = f"{LIST}{row.product_id}/change/"
    Product.objects.update(opens_at=None)
    answer = admin_client.get(address, headers=HTMX)
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (200, "/admin/")
    assert "It may have been deleted." in admin_client.get("/admin/").content.decode()
    for polled in (address, "/admin/reservations/reservation/", "/admin/inventory/stockimport/1/"):
        answer = Client().get(polled, headers=HTMX)
        assert (answer.status_code, answer.headers["HX-Refresh"]) == (200, "true")
        assert "no-store" in answer.headers["Cache-Control"]


# --- the list -----------------------------------------------------------------------------------


def test_the_list_has_the_products_with_an_opening_the_latest_first(admin_client) -> None:
    row = drop()
    stocked(1, product="reef")
    later = stocked(4, product="moon")
    Product.objects.filter(slug="moon").update(opens_at=timezone.now() + timedelta(days=1))
    assert [it.slug for it in Drop.objects.all()] == ["moon", "tidal"]
    page = admin_client.get(LIST).content.decode()
    assert page.index(f"{LIST}{later.product_id}/") < page.index(f"{LIST}{row.product_id}/")
    assert "Reef" not in page
    assert "opens later" in page


@pytest.mark.parametrize(
    ("role", "status"),
    [("Viewer", 200), ("Support", 200), ("Manager", 200), ("Packer", 403), ("nobody", 403)],
)
def test_those_who_may_see_reservations_may_see_drops_and_nobody_edits_them(role, status) -> None:
    row, client = drop(), signed_in(role)
    address = f"{LIST}{row.product_id}/change/"
    assert client.get(LIST).status_code == status
    assert client.get(address).status_code == status
    assert client.post(address, {"name": "Mine"}).status_code == 403
    assert client.get(f"{LIST}add/").status_code == 403
    assert client.post(f"{LIST}{row.product_id}/delete/", {"post": "yes"}).status_code == 403


def test_a_drop_leads_to_the_shop_if_its_reader_gets_the_page_there() -> None:
    row, watcher = drop(), User.objects.create_user("watcher", is_staff=True)
    watcher.user_permissions.set(Permission.objects.filter(codename="view_reservation"))
    Product.objects.update(published_at=None)
    client, link = Client(), '"/p/tidal/?preview"'
    client.force_login(watcher)
    assert link not in page_of(row, client)
    assert link in page_of(row, signed_in("Viewer"))


# --- the opening --------------------------------------------------------------------------------


def test_a_manager_moves_an_opening_and_reads_when_it_is_in_words() -> None:
    row, manager = drop(), signed_in("Manager")
    saved(manager, row.product, opens_at="2031-05-06T09:30")
    product = Product.objects.get()
    assert product.opens_at
    assert timezone.localtime(product.opens_at).isoformat() == "2031-05-06T09:30:00+05:30"
    address = f"/admin/catalog/product/{product.pk}/change/"
    page = manager.get(address).content.decode()
    assert f"Tidal opens on {in_words(product.opens_at)}." in page
    assert "Tuesday 6 May 2031 at 09:30 IST" in page
    assert '"/p/tidal/?preview"' in page
    assert f'"{LIST}{product.pk}/change/"' in page
    assert "opens" in LogEntry.objects.latest("pk").get_change_message().lower()
    assert "opens 6 May 2031, 09:30" in manager.get("/admin/catalog/product/").content.decode()
    saved(manager, product, opens_at="")
    assert Product.objects.get().opens_at is None
    assert "Tidal has no opening any more." in manager.get(address).content.decode()

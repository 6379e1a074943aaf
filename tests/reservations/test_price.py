"""A reservation keeps the price and the name of the moment it was made."""

from datetime import timedelta
from threading import Event

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone

from catalog.models import Product
from inventory.models import Inventory
from reservations import services
from reservations.exceptions import NotOpen
from reservations.models import Reservation
from tests.project.test_export import lines
from tests.reservations.test_verbs import hold
from tests.running import wait_for
from tests.server import somebody_waits
from tests.shopping import holding, press
from tests.staff.people import signed_in
from tests.stock import all_at_once, reprice, stocked

OLD, NEW = "₹\N{NO-BREAK SPACE}15,600", "₹\N{NO-BREAK SPACE}1,00,000"


@pytest.fixture
def row(db) -> Inventory:
    row = stocked(5)
    reprice(row, 1_560_000, "Tidal")
    return row


def text(client: Client, address: str) -> str:
    response = client.get(address, follow=True)
    assert response.status_code == 200
    return str(response.content.decode())


@pytest.mark.parametrize("ending", [None, "confirm", "cancel"])
def test_every_page_shows_the_price_of_the_hold(client, row, ending) -> None:
    reservation = holding(client, row, 2)
    reprice(row, 10_000_000, "Tsunami")
    if ending:
        press(client, reservation, ending)
    checkout = text(client, f"/checkout/{reservation.pk}/")
    assert "Tidal" in checkout
    assert OLD in checkout
    assert "₹\N{NO-BREAK SPACE}31,200" in checkout
    listed = text(client, "/reservations/")
    assert "Tidal" in listed
    assert f"2 × {OLD}" in listed
    for page in (checkout, listed):
        assert NEW not in page
        assert "Tsunami" not in page


def test_the_question_to_cancel_shows_the_name_of_the_hold(client, row) -> None:
    reservation = holding(client, row)
    reprice(row, 10_000_000, "Tsunami")
    page = text(client, f"/checkout/{reservation.pk}/cancel/")
    assert "Let Tidal go?" in page
    assert "Tsunami" not in page


def test_the_products_page_shows_both_prices(client, row) -> None:
    holding(client, row)
    assert "each" not in text(client, "/p/tidal/stock/")
    reprice(row, 10_000_000, "Tidal")
    panel = text(client, "/p/tidal/stock/")
    assert NEW in panel
    assert f"at {OLD} each" in panel


def test_a_new_hold_has_the_new_price(row) -> None:
    first = hold(row)
    reprice(row, 10_000_000, "Tsunami")
    second = hold(row, 1, "session:b")
    services.renew(reservation_id=first.pk)
    services.confirm(reservation_id=first.pk)
    kept = Reservation.objects.order_by("created_at").values_list("unit_paise", "name")
    assert list(kept) == [(1_560_000, "Tidal"), (10_000_000, "Tsunami")]
    assert second.total_paise == 10_000_000


def test_the_api_shows_the_price_of_the_hold(row) -> None:
    api, kind = Client(), "application/json"
    made = api.post("/api/reservations", {"product": "tidal", "quantity": 2}, kind)
    reprice(row, 10_000_000, "Tsunami")
    own = {"Authorization": f"Bearer {made.json()['token']}"}
    address = made.headers["Location"]
    read = api.get(address, headers=own)
    sold = api.post(f"{address}/confirm", {}, kind, headers=own)
    for answer in (made, read, sold):
        said = answer.json()
        assert (said["unit_paise"], said["total_paise"]) == (1_560_000, 3_120_000)
        assert (said["name"], said["currency"]) == ("Tidal", "INR")


def test_staff_read_and_export_what_was_agreed(row) -> None:
    reservation = hold(row, 2)
    reprice(row, 10_000_000, "Tsunami")
    services.confirm(reservation_id=reservation.pk)
    staff = signed_in("Support")
    page = text(staff, f"/admin/reservations/reservation/{reservation.pk}/change/")
    assert "₹\N{NO-BREAK SPACE}31,200" in page
    console = text(staff, "/admin/reservations/reservation/?state=confirmed")
    assert "Tidal" in console
    assert "Tsunami" not in console
    assert "₹\N{NO-BREAK SPACE}31,200" in text(staff, "/admin/")
    [line] = lines(staff.get("/admin/reservations/reservation/export/csv/?state=confirmed"))
    assert line["name"] == "Tidal"
    assert (line["unit price (paise)"], line["total (paise)"]) == ("1560000", "3120000")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("change", [{"unit_paise": 1}, {"name": "Other"}, {"inventory": None}])
def test_the_database_refuses_another_price_name_or_row(change) -> None:
    hold(stocked(5))
    if "inventory" in change:
        change = {"inventory": stocked(5, product="other")}
    with pytest.raises(IntegrityError, match="price_is_kept"):
        Reservation.objects.update(**change)


def delay(row: Inventory) -> None:
    Product.objects.filter(pk=row.product_id).update(opens_at=timezone.now() + timedelta(hours=1))


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("change", "outcome"),
    [(lambda row: reprice(row, 10_000_000, "Tidal"), 10_000_000), (delay, NotOpen)],
    ids=["price", "opening"],
)
def test_what_changes_while_the_row_is_waited_for_counts(settings, change, outcome) -> None:
    settings.LOCK_TIMEOUT_MS = 12_000
    row = stocked(5)
    locked = Event()

    def one(caller: int) -> object:
        if caller:
            locked.wait(60)
            return hold(row).unit_paise
        with transaction.atomic():
            Inventory.objects.select_for_update(no_key=True).get(pk=row.pk)
            locked.set()
            wait_for(somebody_waits)
            change(row)
        return None

    _, found = all_at_once(2, one)
    assert (type(found) if isinstance(found, Exception) else found) == outcome

"""In the shop staff are ordinary shoppers and cannot see others' holds."""

import re
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission, User
from django.core.signing import BadSignature
from django.test import Client

from allo.live import tokens
from catalog.models import Product
from checkout.models import Contact
from reservations.engine.events import holder_topic, reservation_topic
from reservations.models import IdempotencyKey, Reservation, StaffAction
from tests.shopping import HTMX, holding, press
from tests.staff.people import EVERYONE, NOBODY, signed_in
from tests.stock import stocked

pytestmark = pytest.mark.django_db

SUPERUSER, SHOPPER = "superuser", "an account that is not staff"
PEOPLE = (*EVERYONE, SUPERUSER, SHOPPER)
EMAIL = "asha@example.org"

PAGES = [
    ("GET", ""),
    ("GET", "confirm/"),
    ("GET", "cancel/"),
    ("GET", "renew/"),
    ("POST", "confirm/"),
    ("POST", "cancel/"),
    ("POST", "renew/"),
    ("POST", "contact/"),
    ("POST", "address/"),
]
CALLS = [("GET", ""), ("POST", "/confirm"), ("POST", "/release"), ("POST", "/renew")]


def person(role: str) -> Client:
    if role in EVERYONE:
        return signed_in(role)
    client = Client()
    user = User.objects.create_user("person", is_superuser=role == SUPERUSER)
    user.is_staff = role == SUPERUSER
    user.save(update_fields=["is_staff"])
    client.force_login(user)
    return client


@pytest.fixture
def theirs() -> Reservation:
    """Another shopper's hold, with a contact typed at its checkout."""
    shopper = Client()
    reservation = holding(shopper, stocked(5), 2)
    press(shopper, reservation, "contact", name="Asha Rao", email=EMAIL)
    return reservation


@pytest.fixture
def sold(theirs) -> Reservation:
    shopper = Client()
    reservation = holding(shopper, stocked(5, product="sold"))
    press(shopper, reservation, "confirm", email=EMAIL)
    return reservation


def everything() -> list[object]:
    """What an act on the reservation would change."""
    rows = (Reservation, Contact, StaffAction, IdempotencyKey)
    return [sorted(map(str, model.objects.values())) for model in rows]


def without_ids(body: bytes) -> str:
    """A response without what always differs: the id in the request, and times."""
    return re.sub(r'data-(now|live)="[^"]*"|[0-9a-f-]{36}', "", body.decode())


@pytest.mark.parametrize("role", PEOPLE)
@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "fragment"])
def test_anothers_checkout_is_404_like_an_unknown_one_for(theirs, sold, role, headers) -> None:
    client, before = person(role), everything()
    form = {"idempotency_key": str(uuid4()), "name": "Mallory", "email": "m@example.org"}
    for method, path in PAGES:
        for target in (theirs.pk, sold.pk):
            found, unknown = (
                getattr(client, method.lower())(f"/checkout/{pk}/{path}", form, headers=headers)
                for pk in (target, uuid4())
            )
            assert (found.status_code, unknown.status_code) == (404, 404), (method, path)
            assert without_ids(found.content) == without_ids(unknown.content)
    assert everything() == before


@pytest.mark.parametrize("role", PEOPLE)
@pytest.mark.parametrize("key", ["", "0b8f5a3e-6f0d-4f1c-8a52-90b1f1a0c7d4"], ids=["", "key"])
def test_anothers_reservation_in_the_api_is_404_like_an_unknown_one_for(
    theirs, sold, role, key
) -> None:
    client, before = person(role), everything()
    headers = {"Idempotency-Key": key} if key else {}
    for method, call in CALLS:
        for target in (theirs.pk, sold.pk):
            found, unknown = (
                client.generic(method, f"/api/reservations/{pk}{call}", headers=headers)
                for pk in (target, uuid4())
            )
            assert (found.status_code, unknown.status_code) == (404, 404), (method, call)
            assert found.json() == unknown.json()
    assert everything() == before


@pytest.mark.parametrize("role", PEOPLE)
def test_no_page_of_the_shop_shows_or_signs_anothers_holds_for(theirs, sold, role) -> None:
    client = person(role)
    mine = holding(client, stocked(5, product="mine"))
    pages = (
        "/", "/p/tidal/", "/p/tidal/?preview", "/p/tidal/reserve/",
        "/p/tidal/stock/", "/reservations/", "/reservations/holds/", "/docs/", "/api/docs",
        f"/checkout/{mine.pk}/", f"/checkout/{mine.pk}/cancel/",
    )  # fmt: skip
    heard = set()
    for address in pages:
        for headers in ({}, HTMX):
            body = client.get(address, headers=headers).content.decode()
            for secret in (str(theirs.pk), str(sold.pk), theirs.holder, sold.holder, EMAIL):
                assert secret not in body, (address, secret)
            heard |= signed_in_page(body)
    assert {reservation_topic(mine.pk), holder_topic(mine.holder)} <= heard
    for other in (theirs, sold):
        assert not {reservation_topic(other.pk), holder_topic(other.holder)} & heard
    shown = {f"product:{pk}" for pk in Product.objects.values_list("pk", flat=True)}
    assert {topic for topic in heard if topic.startswith("product:")} == shown


def signed_in_page(body: str) -> set[str]:
    """The topics that this page may listen to."""
    found: set[str] = set()
    for token in filter(None, re.findall(r'data-(?:live|hears)="([^"]*)"', body)):
        try:
            found |= tokens.read([token]).topics
        except BadSignature:
            pytest.fail(f"not signed by the shop: {token}")
    return found


@pytest.mark.parametrize("role", PEOPLE)
def test_a_preview_is_for_those_who_may_see_the_product_in_the_admin(role) -> None:
    stocked(5)
    Product.objects.update(published_at=None)
    client = person(role)
    page = client.get("/p/tidal/?preview")
    admin = client.get(f"/admin/catalog/product/{Product.objects.get().pk}/change/")
    assert (page.status_code == 200) == (admin.status_code == 200)
    assert (page.status_code == 200) == (role not in {NOBODY, SHOPPER})


def test_a_permission_opens_no_preview_to_an_account_that_is_not_staff() -> None:
    stocked(5)
    Product.objects.update(published_at=None)
    client = person(SHOPPER)
    User.objects.get().user_permissions.add(Permission.objects.get(codename="view_product"))
    assert client.get("/p/tidal/?preview").status_code == 404


@pytest.mark.parametrize("role", PEOPLE)
def test_unpublished_products_are_neither_shown_nor_reserved_for(role) -> None:
    stocked(5)
    Product.objects.update(published_at=None)
    client = person(role)
    addresses = (
        "/p/tidal/", "/p/tidal/reserve/", "/p/tidal/reserve/?preview", "/p/tidal/stock/?preview",
        "/api/products/tidal",
    )  # fmt: skip
    assert {client.get(address).status_code for address in addresses} == {404}
    wanted = {"product": "tidal", "quantity": 1}
    assert client.post("/api/reservations", wanted, "application/json").status_code == 404
    form = {"quantity": 1, "warehouse": "", "idempotency_key": str(uuid4())}
    assert client.post("/p/tidal/reserve/?preview", form).status_code == 404
    for address in (
        "/",
        "/?preview",
        "/sitemap.xml",
        "/api/products",
    ):
        assert "tidal" not in client.get(address).content.decode().lower(), address
    assert not Reservation.objects.exists()

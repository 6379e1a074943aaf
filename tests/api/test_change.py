"""Another quantity over the API: refused when reserving again, possible with `change`."""

from typing import Any
from uuid import UUID

import pytest
from django.test import Client

from catalog.models import Product
from inventory.models import Inventory
from reservations import services
from reservations.api import tokens
from reservations.engine.commands import Command, Holder
from reservations.models import ApiToken, Reservation
from tests.shopping import Page, key
from tests.stock import stocked

pytestmark = pytest.mark.django_db

JSON = "application/json"


@pytest.fixture
def row() -> Inventory:
    return stocked(9)


class Merchant:
    def __init__(self, *scopes: str, max_units: int = 200) -> None:
        _, secret = tokens.create(name="Shop", scopes=scopes, max_units=max_units)
        self.headers = {"Authorization": f"Bearer {secret}"}

    def post(self, address: str, body: object, **headers: str) -> Page:
        path = f"/api/reservations{address}"
        return Client().post(path, body, JSON, headers={**self.headers, **headers})

    def reserve(self, quantity: int, **headers: str) -> Page:
        body = {"product": "tidal", "quantity": quantity, "customer": "7"}
        return self.post("", body, **headers)


@pytest.fixture
def merchant(row) -> Merchant:
    return Merchant("read", "reserve", "manage")


def test_reserving_again_returns_the_hold_or_refuses_another_quantity(merchant) -> None:
    first = merchant.reserve(1)
    assert merchant.reserve(1).json() == first.json()
    once = {"Idempotency-Key": key()}
    refused = merchant.reserve(3, **once)
    said = refused.json()
    assert (refused.status_code, said["code"]) == (409, "already_held")
    assert (said["id"], said["quantity"]) == (first.json()["id"], 1)
    assert merchant.reserve(3, **once).headers["Idempotent-Replay"] == "true"


def test_a_quantity_grows_and_shrinks_and_changes_once_per_key(merchant, row) -> None:
    made = merchant.reserve(1).json()
    once = {"Idempotency-Key": key()}
    for replayed in (None, "true"):
        answer = merchant.post(f"/{made['id']}/change", {"quantity": 4}, **once)
        assert answer.status_code == 200
        assert answer.headers.get("Idempotent-Replay") == replayed
        said = answer.json()
        assert (said["quantity"], said["total_paise"]) == (4, 1_540_000)
        assert said["expires_at"] == made["expires_at"]
    assert merchant.post(f"/{made['id']}/change", {"quantity": 2}).json()["quantity"] == 2
    conflict = merchant.post(f"/{made['id']}/change", {"quantity": 3}, **once)
    assert conflict.json()["code"] == "idempotency_conflict"
    row.refresh_from_db()
    assert row.reserved_units == 2


def test_each_refusal_carries_the_fields_a_program_needs(merchant, row) -> None:
    made = merchant.reserve(2).json()
    address = f"/{made['id']}/change"
    assert merchant.post(address, {"quantity": 11}).json()["limit"] == "RESERVATION_MAX_UNITS"
    assert merchant.post(address, {"quantity": 10}).json()["available"] == 7
    Product.objects.update(price_paise=400_000)
    said = merchant.post(address, {"quantity": 3}).json()
    assert (said["code"], said["unit_paise"], said["price_paise"]) == (
        "price_changed",
        385_000,
        400_000,
    )
    Product.objects.update(published_at=None)
    assert merchant.post(address, {"quantity": 3}).json()["code"] == "not_in_shop"
    services.release(reservation_id=UUID(made["id"]))
    assert merchant.post(address, {"quantity": 1}).json()["code"] == "not_pending"


def test_a_merchants_cap_limits_growth(row) -> None:
    merchant = Merchant("reserve", "manage", max_units=4)
    made = merchant.reserve(2).json()
    said = merchant.post(f"/{made['id']}/change", {"quantity": 5}).json()
    assert (said["limit"], said["maximum"]) == ("max_units", 4)
    assert merchant.post(f"/{made['id']}/change", {"quantity": 4}).status_code == 200


def test_holding_more_needs_the_scope_to_reserve(row) -> None:
    made = services.reserve(product_id=row.product_id, quantity=3, holder=Holder("token:0:7"))
    assert isinstance(made, Reservation)
    manager = Merchant("manage")
    Reservation.objects.update(holder=f"token:{ApiToken.objects.get().pk}:7")
    address = f"/{made.pk}/change"
    refused = manager.post(address, {"quantity": 4})
    assert (refused.status_code, refused.json()["scope"]) == (403, "reserve")
    assert manager.post(address, {"quantity": 2}).status_code == 200
    assert Merchant("read", "reserve").post(address, {"quantity": 1}).status_code == 403


def test_what_only_shrinks_has_to_be_what_was_read(row, monkeypatch) -> None:
    made = services.reserve(product_id=row.product_id, quantity=5, holder=Holder("token:0:7"))
    assert isinstance(made, Reservation)
    manager = Merchant("manage")
    Reservation.objects.update(holder=f"token:{ApiToken.objects.get().pk}:7")
    real = services.change

    def meanwhile(**asked: Any) -> Command:
        real(reservation_id=made.pk, quantity=1)
        return real._command(**asked)

    monkeypatch.setattr(services, "change", services.Verb(meanwhile))
    said = manager.post(f"/{made.pk}/change", {"quantity": 4}).json()
    assert (said["code"], said["quantity"]) == ("quantity_changed", 1)


def test_only_the_bearer_of_a_hold_changes_it(row) -> None:
    made = Client().post("/api/reservations", {"product": "tidal", "quantity": 1}, JSON).json()
    address = f"/api/reservations/{made['id']}/change"
    own = {"Authorization": f"Bearer {made['token']}"}
    assert Client().post(address, {"quantity": 3}, JSON, headers=own).json()["quantity"] == 3
    assert Client().post(address, {"quantity": 1}, JSON).status_code == 404
    other = Merchant("manage", "reserve")
    assert other.post(f"/{made['id']}/change", {"quantity": 1}).status_code == 404


@pytest.mark.parametrize("body", [{}, {"quantity": 0}, {"quantity": "2"}, {"quantity": 2, "x": 1}])
def test_what_is_not_a_quantity_is_422(merchant, body) -> None:
    made = merchant.reserve(1).json()
    assert merchant.post(f"/{made['id']}/change", body).status_code == 422

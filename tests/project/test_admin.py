"""The admin shows every model, and the books cannot be edited in it."""

import pytest
from django.apps import apps
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from inventory.models import StockMovement
from reservations.models import IdempotencyKey
from tests.shopping import holding, key, press_reserve
from tests.stock import stocked

pytestmark = pytest.mark.django_db

SHOP = ("catalog", "inventory", "reservations", "checkout", "outbox", "accounts", "codes")
# Files that are kept for a while: not part of the books, and nothing to show.
FILES = {"ReplacedPicture", "StockImportFile"}
# The search index, which triggers write: nothing to show.
INDEXES = {"SearchText", "SearchWord"}
# They only count: the numbers are those of orders, how far the clock has come, and the trends.
COUNTERS = {"InvoiceCounter", "Forgotten", "CountedDay", "DayCount", "ClockRun"}
# Here for seconds, until they are events.
TOLD = {"Told"}
# Staff see addresses in the orders that go there, and browsers on the page of their account.
OWN = {"Address", "AdoptedHolder"}
# Whoever has them is signed in: nobody is shown those of others.
SECRETS = {"EmailCode", "SignIn"}
MODELS = [
    model
    for app in SHOP
    for model in apps.get_app_config(app).get_models()
    if model.__name__ not in FILES | INDEXES | COUNTERS | TOLD | OWN | SECRETS
]
WRITABLE = {
    "ApiToken", "Category", "CooldownLift", "Page", "Product", "ProductPicture", "Warehouse",
    "Webhook",
}  # fmt: skip


def page(model, name: str, *args: object) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}", args=args)


@pytest.mark.parametrize("model", MODELS)
def test_every_model_is_listed(model) -> None:
    assert admin.site.is_registered(model)


# An inventory row is added empty; units are then received, with ledger lines.
@pytest.mark.parametrize(
    "model", [model for model in MODELS if model.__name__ not in WRITABLE | {"Inventory"}]
)
def test_no_line_of_the_books_is_added_by_hand(admin_client, model) -> None:
    assert admin_client.get(page(model, "add")).status_code == 403


def test_no_total_and_no_hold_is_typed_over_or_deleted_by_superusers_either(admin_client) -> None:
    reservation = holding(Client(), stocked(5))
    for row in (reservation, reservation.inventory, StockMovement.objects.get()):
        change, delete = page(type(row), "change", row.pk), page(type(row), "delete", row.pk)
        assert admin_client.post(change, {"total_units": 99}).status_code == 403
        assert admin_client.post(delete, {"post": "yes"}).status_code == 403
    reservation.refresh_from_db()
    assert (reservation.status, reservation.inventory.total_units) == ("pending", 5)


def test_an_idempotency_key_is_shown_to_nobody(admin_client) -> None:
    secret = key()
    press_reserve(Client(), stocked(5), idempotency_key=secret)
    stored = IdempotencyKey.objects.get(key=secret)
    for address in (page(IdempotencyKey, "changelist"), page(IdempotencyKey, "change", stored.pk)):
        body = admin_client.get(address).content.decode()
        assert stored.endpoint in body
        assert secret not in body


def test_a_visitor_of_the_admin_has_to_sign_in(client) -> None:
    assert client.get("/admin/reservations/reservation/").status_code == 302

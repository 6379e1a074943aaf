"""The admin shows every model, and the books cannot be edited in it."""

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from checkout.models import Charge, Order
from inventory.models import StockMovement
from reservations.models import IdempotencyKey
from reservations.waiting import services
from tests.checkout.orders import brought, opened, refund
from tests.hooks.hearing import hears
from tests.joining import waiting
from tests.reservations.test_verbs import hold
from tests.shopping import holding, key, press, press_reserve
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


@pytest.fixture
def _history() -> None:
    actor = User.objects.create_user("asha")
    hears()
    closed = stocked(0, product="jug")
    waiting(closed)
    services.close(product_id=closed.product_id, reason="No more vases", by=actor)
    for n in range(3):
        shopper = Client()
        press(shopper, holding(shopper, stocked(5, product=f"vase-{n}")), "confirm")
        held = hold(stocked(5, product=f"bowl-{n}"))
        order = brought(opened(held, email="ravi@example.org"), "paid")
        order.order_events.create(what="paid", who=actor)
        refund(order.charges.get(), 5, line=order.order_lines.get(), actor=actor)
        waiting(stocked(0, product=f"plate-{n}"))


@pytest.mark.parametrize("model", MODELS)
def test_every_model_is_listed(model) -> None:
    assert admin.site.is_registered(model)


@pytest.mark.usefixtures("_history")
@pytest.mark.parametrize("model", MODELS)
def test_a_list_and_what_is_in_it_can_be_opened_and_searched(admin_client, model) -> None:
    assert admin_client.get(page(model, "changelist")).status_code == 200
    assert admin_client.get(page(model, "changelist"), {"q": "vase"}).status_code == 200
    for row in model.objects.all()[:1]:
        assert admin_client.get(page(model, "change", row.pk)).status_code == 200


@pytest.mark.usefixtures("_history")
@pytest.mark.parametrize("model", MODELS)
def test_a_list_runs_as_many_queries_for_three_rows_as_for_one(
    admin_client, django_assert_max_num_queries, model
) -> None:
    with django_assert_max_num_queries(7):
        admin_client.get(page(model, "changelist"))


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
        assert secret not in admin_client.get(address).content.decode()


def test_a_visitor_of_the_admin_has_to_sign_in(client) -> None:
    assert client.get("/admin/reservations/reservation/").status_code == 302


@pytest.mark.usefixtures("_history")
@pytest.mark.parametrize(
    "model", ["order", "orderline", "orderevent", "payment", "charge", "refund"]
)
def test_an_order_and_its_money_are_found_by_its_number(admin_client, model) -> None:
    order = Order.objects.first()
    assert order
    found = admin_client.get(f"/admin/checkout/{model}/", {"q": order.number.lower()})
    assert found.context["cl"].result_count == 1
    assert order.number in found.content.decode()


@pytest.mark.usefixtures("_history")
def test_an_order_is_found_by_its_buyers_address_and_money_by_its_reference(admin_client) -> None:
    charge = Charge.objects.first()
    assert charge
    searches = {
        ("order", "RAVI@example.org"): 3,
        ("order", "ravi"): 0,
        ("orderline", str(charge.order.order_lines.get().reservation_id)): 1,
        ("payment", str(charge.payment_id)): 1,
        ("charge", charge.reference): 1,
        ("refund", str(charge.refunds.get().pk)): 1,
    }
    for (model, words), results in searches.items():
        found = admin_client.get(f"/admin/checkout/{model}/", {"q": words})
        assert found.context["cl"].result_count == results

"""Lists of the admin over rows of each kind."""

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from allo.accounts.models import Account, DeletedAccount
from allo.outbox.models import Delivery, Event
from catalog.models import Category, Product, ProductPicture
from checkout.models import Charge, Order
from inventory.models import Inventory, LowStock, StockImport, StockImportRow
from reservations.models import (
    ApiToken,
    AuditRun,
    CooldownLift,
    Repair,
    Reservation,
    StaffAction,
    Sweep,
)
from reservations.waiting import services
from tests.checkout.orders import brought, opened, refund
from tests.hooks.hearing import hears
from tests.joining import waiting
from tests.project.test_admin import MODELS, page
from tests.reservations.test_verbs import hold
from tests.shopping import holding, press
from tests.stock import stocked

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("_history")]

ROWS = 3


@pytest.fixture(scope="module")
def _history(module_db) -> None:
    """At least so many rows of each model."""
    actor = User.objects.create_user("asha")
    for n in range(ROWS):
        hears()
        closed = stocked(0, product=f"jug-{n}")
        waiting(closed)
        services.close(product_id=closed.product_id, reason="No more vases", by=actor)
        shopper = Client()
        press(shopper, holding(shopper, stocked(5, product=f"vase-{n}")), "confirm")
        held = hold(row := stocked(5, product=f"bowl-{n}", warehouse=f"w-{n}"))
        order = brought(opened(held, email="ravi@example.org"), "paid")
        order.order_events.create(what="paid", who=actor)
        refund(order.charges.get(), 5, line=order.order_lines.get(), actor=actor)
        hold(row, 1, "session:b")
        waiting(stocked(0, product=f"plate-{n}"))
        _staff(n, actor, row, held)
        _clock(row)
        _others(n, row.product)


def _staff(n: int, actor: User, row: Inventory, held: Reservation) -> None:
    Category.objects.create(name=f"Category {n}", slug=f"category-{n}")
    ApiToken.objects.create(name="ERP", prefix="allo_1", digest=bytes([n]) * 32, created_by=actor)
    CooldownLift.objects.create(holder=f"visitor:{n}", actor=actor, reason="A slow bank")
    StaffAction.objects.create(reservation=held, action="released", actor=actor, reason="Broken")
    file = StockImport.objects.create(file_name="a.csv", row_count=1, error_count=0, actor=actor)
    StockImportRow.objects.create(
        stock_import=file, line=1, product="vase", inventory=row, before=5, delta=1
    )


def _clock(row: Inventory) -> None:
    now = timezone.now()
    Sweep.objects.create(started_at=now, finished_at=now, expired=1)
    AuditRun.objects.create(started_at=now, finished_at=now)
    Repair.objects.create(inventory=row, found=1, held=0)
    LowStock.objects.create(inventory=row)


def _others(n: int, product: Product) -> None:
    now = timezone.now()
    Product.objects.filter(pk=product.pk).update(opens_at=now)
    ProductPicture.objects.create(
        product=product, image="products/bowl.webp", width=8, height=8, alt="A bowl"
    )
    hook = hears()
    event = Event.objects.create(kind="stock.low", subject="a", at=now, data={})
    Delivery.objects.create(event=event, webhook=hook, subject="a")
    user = User.objects.create_user(f"shopper-{n}", email=f"n{n}@example.org")
    Account.objects.create(user=user, email_key=user.email)
    DeletedAccount.objects.create(number=9_000 + n, made_at=now)


@pytest.mark.parametrize("model", MODELS)
def test_a_list_and_what_is_in_it_can_be_opened_and_searched(admin_client, model) -> None:
    assert admin_client.get(page(model, "changelist")).status_code == 200
    assert admin_client.get(page(model, "changelist"), {"q": "vase"}).status_code == 200
    row = model.objects.all()[0]
    assert admin_client.get(page(model, "change", row.pk)).status_code == 200


@pytest.mark.parametrize("model", MODELS)
def test_a_list_runs_as_many_queries_for_many_rows_as_for_one(
    admin_client, monkeypatch, model
) -> None:
    def look() -> tuple[int, int]:
        with CaptureQueriesContext(connection) as queries:
            response = admin_client.get(page(model, "changelist"))
        assert response.status_code == 200
        return len(response.context["cl"].result_list), len(queries)

    rows, queries = look()
    assert rows >= ROWS
    monkeypatch.setattr(admin.site._registry[model], "list_per_page", 1)
    assert look() == (1, queries)
    assert queries <= 7


@pytest.mark.parametrize(
    "model", ["order", "orderline", "orderevent", "payment", "charge", "refund"]
)
def test_an_order_and_its_money_are_found_by_its_number(admin_client, model) -> None:
    order = Order.objects.first()
    assert order
    found = admin_client.get(f"/admin/checkout/{model}/", {"q": order.number.lower()})
    assert found.context["cl"].result_count == 1
    assert order.number in found.content.decode()


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

"""How many rows each page reads over a long history, by PostgreSQL's own counts: those it shows,
and no more."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.contrib import admin
from django.db import connection
from django.db.models.functions import Now
from django.test import Client
from django.urls import reverse

from catalog.models import Product
from checkout import due
from checkout.models import Order
from inventory import services
from inventory.adjustments import Adjustment
from inventory.models import StockMovement
from reservations.models import Reservation
from tests.history.filled import Past, shop_with_a_past
from tests.shopping import BUYER, HTMX, key

pytestmark = pytest.mark.django_db

# Of tables that grow with each day of business.
READ = """
    SELECT coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), 0) FROM pg_stat_xact_user_tables
    WHERE relname NOT LIKE 'catalog%' AND relname NOT LIKE 'auth%' AND relname NOT IN
        ('inventory_inventory', 'inventory_warehouse', 'django_content_type', 'django_migrations')
"""
# A page of 21: each row found by an index, then read with what it refers to.
SHOP = 150
# What a buyer does: a few rows by index, and the last contacts of the latest 20 reservations.
STEP = 60
# Lists of the admin show 100, and count no further than this; the real number is larger.
COUNTED = 200
LIST = 2 * COUNTED + 600


@pytest.fixture(scope="module")
def past(module_db) -> Past:
    return shop_with_a_past()


@pytest.fixture(autouse=True)
def _counted_to_a_few(monkeypatch) -> None:
    monkeypatch.setattr("allo.admin_kit.base.COUNTED", COUNTED)


def rows_read() -> int:
    with connection.cursor() as cursor:
        cursor.execute(READ)
        return int(cursor.fetchone()[0])


def read_by(client: Client, address: str, **more: Any) -> int:
    before = rows_read()
    page: Any = client.get(address, **more)
    assert page.status_code == 200, address
    if page.streaming:
        list(page.streaming_content)
    return rows_read() - before


def oldest(past: Past, status: str) -> Reservation:
    mine = Reservation.objects.filter(holder=past.holder, status=status)
    return mine.order_by("created_at")[50]


SHOPPERS: dict[str, Callable[[Past], str]] = {
    "grid": lambda _: "/",
    "what is in stock": lambda _: "/?in_stock=1",
    "a search": lambda _: "/?q=vase",
    "product": lambda past: f"/p/{past.row.product.slug}/",
    "panel": lambda past: f"/p/{past.row.product.slug}/stock/",
    "form to reserve": lambda past: f"/p/{past.row.product.slug}/reserve/",
    "form to join a list": lambda past: f"/p/{past.row.product.slug}/waiting-list/",
    "holds": lambda _: "/reservations/holds/",
    "reservations": lambda _: "/reservations/",
    "older ones": lambda past: f"/reservations/?before={oldest(past, 'confirmed').pk}",
    "newer ones": lambda past: f"/reservations/?after={oldest(past, 'confirmed').pk}",
    "checkout": lambda past: f"/checkout/{past.hold.pk}/",
    "question to cancel": lambda past: f"/checkout/{past.hold.pk}/cancel/",
    "what was bought": lambda past: f"/orders/{order(past).number}/",
    "what expired": lambda past: f"/checkout/{oldest(past, 'expired').pk}/",
    "bag": lambda _: "/bag/",
    "orders": lambda _: "/orders/",
    "products for programs": lambda _: "/api/products",
    "a product for programs": lambda past: f"/api/products/{past.row.product.slug}",
    "readiness": lambda _: "/readyz",
}


@pytest.mark.parametrize("name", SHOPPERS)
def test_a_page_of_the_shop_reads_what_it_shows(past, name) -> None:
    assert read_by(past.shopper, SHOPPERS[name](past)) <= SHOP


def test_each_step_of_a_buyer_reads_what_it_needs(past) -> None:
    """Of a shopper, and a row, that have a long history."""
    slug = past.row.product.slug.replace("-0", "-1")
    form = f"/p/{slug}/reserve/"
    typed = {**BUYER, "quantity": 1}
    read = {"dialog": read_by(past.shopper, form, headers=HTMX)}
    before = rows_read()
    sent = post(past.shopper, form, quantity=1)
    read["reserve"] = rows_read() - before
    place = sent.headers["HX-Redirect"]
    read["mine"] = read_by(past.shopper, f"/p/{slug}/mine/", headers=HTMX)
    for verb, status in {"contact": 204, "renew": 200, "confirm": 200}.items():
        before = rows_read()
        assert post(past.shopper, f"{place}{verb}/", **typed).status_code == status
        read[verb] = rows_read() - before
    # The last step opens the order, and settles it.
    assert read.pop("confirm") <= 2 * STEP
    assert {step: rows for step, rows in read.items() if rows > STEP} == {}


def post(client: Client, address: str, **form: object) -> Any:
    return client.post(address, {**form, "idempotency_key": key()}, headers=HTMX)


def test_the_clock_reads_the_payments_that_are_due(past) -> None:
    before = rows_read()
    assert due.chosen(100) == []
    assert rows_read() - before <= STEP


CONSOLE, LEDGER = "/admin/reservations/reservation/", "/admin/inventory/stockmovement/"
MONEY, ORDER = "/admin/checkout/", "/admin/checkout/order/"


def order(past: Past) -> Order:
    return Order.objects.filter(holder=past.holder, state="delivered").order_by("opened_at")[50]


def drop(past: Past) -> str:
    product = past.row.product_id
    Product.objects.filter(pk=product).update(opens_at=Now())
    return f"/admin/catalog/drop/{product}/change/"


STAFF: dict[str, Callable[[Past], str]] = {
    "today": lambda _: "/admin/",
    "one id": lambda past: f"{CONSOLE}?q={oldest(past, 'confirmed').pk}",
    "how an id begins": lambda past: f"{CONSOLE}?q={str(oldest(past, 'confirmed').pk)[:8]}",
    "a holder": lambda past: f"{CONSOLE}?q={past.holder}",
    "a buyer": lambda past: f"{CONSOLE}?q={str(oldest(past, 'confirmed').pk)[:8]}@example.org",
    "a product": lambda _: f"{CONSOLE}?q=vase-3&state=confirmed",
    "what expired of one": lambda past: f"{CONSOLE}?state=expired&product={past.row.product_id}",
    "an old one": lambda past: f"{CONSOLE}{oldest(past, 'confirmed').pk}/change/",
    "all of a holder": lambda past: f"{CONSOLE}release/?holder={past.holder}",
    "live ones as a file": lambda _: f"{CONSOLE}export/csv/?state=live",
    "an id as a file": lambda past: f"{CONSOLE}export/csv/?q={past.hold.pk}",
    "live ones as a sheet": lambda _: f"{CONSOLE}export/xlsx/?state=live",
    "a buyer's contact": lambda past: f"/admin/checkout/contact/?q={past.hold.pk}",
    "a buyer by name": lambda _: "/admin/checkout/contact/?q=Asha+0a1",
    "a buyer by e-mail": lambda _: "/admin/checkout/contact/?q=nobody@example.org",
    "an order by its number": lambda past: f"{ORDER}?q={order(past).number}",
    "orders of a buyer": lambda past: f"{ORDER}?q={order(past).email}",
    "an order": lambda past: f"{ORDER}{order(past).pk}/change/",
    "lines of an order": lambda past: f"{ORDER[:-1]}line/?q={order(past).number}",
    "lines of a reservation": lambda past: f"{ORDER[:-1]}line/?q={order(past).pk}",
    "events of an order": lambda past: f"{ORDER[:-1]}event/?q={order(past).number}",
    "payments of an order": lambda past: f"{MONEY}payment/?q={order(past).number}",
    "charges of an order": lambda past: f"{MONEY}charge/?q={order(past).number}",
    "a charge by its reference": lambda past: f"{MONEY}charge/?q=pi_{order(past).pk}",
    "refunds of an order": lambda past: f"{MONEY}refund/?q={order(past).number}",
    "an account": lambda past: f"{LEDGER}?row={past.row.pk}",
    "lines of a person": lambda _: f"{LEDGER}?actor=root",
    "lines of a day": lambda _: f"{LEDGER}?day=2001-02-02",
    "lines of a product": lambda _: f"{LEDGER}?product=vase-3",
    "a line by its reference": lambda past: f"{LEDGER}?q={oldest(past, 'confirmed').pk}",
    "a row of stock": lambda past: f"/admin/inventory/inventory/{past.row.pk}/change/",
    "an adjustment": lambda past: f"/admin/inventory/inventory/adjust/?id={past.row.pk}",
    "stock as a file": lambda _: "/admin/inventory/inventory/export/csv/",
    "what became of a product": lambda past: (
        f"/admin/catalog/product/{past.row.product_id}/history/"
    ),
    "a drop": drop,
    "staff by their reason": lambda _: "/admin/reservations/staffaction/?q=reason+4711",
    "staff by their name": lambda _: "/admin/reservations/staffaction/?q=nobody",
    "mail to somebody": lambda _: "/admin/outbox/message/?q=asha4711@",
    "mail that was given up": lambda _: "/admin/outbox/message/?state=given+up",
    "mail that waits": lambda _: "/admin/outbox/message/?state=waiting",
    "an import by its file": lambda _: "/admin/inventory/stockimport/?q=may+4711",
    "a line of an import": lambda _: "/admin/inventory/stockimportrow/?q=vase-3",
}


@pytest.mark.parametrize("name", STAFF)
def test_a_page_of_the_admin_reads_what_it_shows(past, name) -> None:
    assert read_by(past.staff, STAFF[name](past)) <= LIST


def test_every_list_of_the_admin_and_each_of_its_filters_reads_what_it_shows(past) -> None:
    read = {address: read_by(past.staff, address) for address in lists(past.staff)}
    assert len(read) > 40
    assert {address: rows for address, rows in read.items() if rows > LIST} == {}


def lists(staff: Client) -> list[str]:
    """Each list, and each with one of its filters set."""
    found = []
    for model in admin.site._registry:
        address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        page: Any = staff.get(address)
        found += [address, *(address + query for query in _filters(page.context["cl"]))]
    return found


def _filters(changelist: Any) -> list[str]:
    choices = (choice for spec in changelist.filter_specs for choice in spec.choices(changelist))
    queries = [choice.get("query_string", "") for choice in choices if not choice.get("selected")]
    return [query for query in queries if query not in {"", "?"}]


def test_a_change_of_stock_reads_no_history(past) -> None:
    one = Adjustment(past.row.pk, 1, StockMovement.Reason.RECEIVED, reference=uuid4())
    before = rows_read()
    services.apply(adjustments=[one])
    assert rows_read() - before <= STEP

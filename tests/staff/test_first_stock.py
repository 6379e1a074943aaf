"""A new product leads to its first units, in all warehouses at once."""

import re
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User

from catalog.models import Product
from inventory.models import Inventory, StockMovement, Warehouse
from tests.staff.people import signed_in
from tests.staff.test_products import form as product_form
from tests.stock import stocked

pytestmark = pytest.mark.django_db


@pytest.fixture
def manager():
    return signed_in("Manager")


@pytest.fixture
def product() -> Product:
    """In no warehouse yet; there are two."""
    stocked(1, product="other")
    row = stocked(0, product="tidal", warehouse="del-01")
    product = row.product
    row.delete()
    return product


def place(product: Product) -> str:
    return f"/admin/inventory/inventory/first/{product.pk}/"


def units(**by_code: object) -> dict[str, object]:
    """What the form sends, with a reference of its own."""
    keys = dict(Warehouse.objects.values_list("code", "pk"))
    sent = {f"units_{keys[code.replace('_', '-')]}": value for code, value in by_code.items()}
    return {"reference": uuid4(), "note": "Delivery 1", **sent}


def totals(product: Product) -> dict[str, int]:
    rows = Inventory.objects.filter(product=product)
    return dict(rows.values_list("warehouse__code", "total_units"))


def test_saving_a_new_product_leads_to_its_first_units(manager) -> None:
    stocked(1, product="other")
    response = manager.post("/admin/catalog/product/add/", {**product_form(), "_save": "Save"})
    new = Product.objects.latest("pk")
    assert (response.status_code, response.url) == (302, place(new))
    page = manager.get(f"/admin/catalog/product/{new.pk}/change/").content.decode()
    assert f'<a href="{place(new)}">Stock</a>' in page
    assert manager.post(place(new), units(blr_01=3)).status_code == 303
    page = manager.get(f"/admin/catalog/product/{new.pk}/change/").content.decode()
    assert f'<a href="/admin/inventory/inventory/?q={new.slug}">Stock</a>' in page


def test_the_units_are_in_the_ledger_and_the_log_and_a_form_sent_twice_acts_once(
    manager, product
) -> None:
    sent = units(blr_01=3, del_01="")
    for _ in range(2):
        assert manager.post(place(product), sent).status_code == 303
    assert totals(product) == {"blr-01": 3}
    line = StockMovement.objects.get(inventory__product=product)
    assert (line.delta, line.reason, line.note) == (3, "opening", "Delivery 1")
    assert line.actor == User.objects.get(username="manager")
    assert LogEntry.objects.get().change_message == "First stock: total 0 → 3"
    page = manager.get(place(product)).content.decode()
    assert re.findall(r'name="units_\d+"', page) == [
        f'name="units_{Warehouse.objects.get(code="del-01").pk}"'
    ]


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ({}, "Give a number of units for one warehouse at least."),
        ({"blr_01": "0"}, "Give a number of units for one warehouse at least."),
        ({"blr_01": "-1"}, "At least 0."),
        ({"blr_01": "x", "del_01": "2"}, "Enter a whole number"),
        ({"blr_01": "1000000001"}, "At most"),
    ],
)
def test_what_is_wrong_is_said_and_changes_nothing(manager, product, sent, words) -> None:
    response = manager.post(place(product), units(**sent))
    assert response.status_code == 422
    assert words in response.content.decode()
    assert totals(product) == {}


def test_units_that_somebody_put_there_meanwhile_are_not_doubled(manager, product) -> None:
    sent = units(blr_01=3, del_01=2)
    stocked(5, product="tidal")
    response = manager.post(place(product), sent)
    assert response.status_code == 422
    assert "It was 0 when you looked, and is 5 now." in response.content.decode()
    assert totals(product) == {"blr-01": 5}


def test_only_those_who_may_receive_put_first_units(product) -> None:
    for role, status in (("Stock keeper", 303), ("Viewer", 403), ("Packer", 403)):
        client = signed_in(role)
        assert client.get(place(product)).status_code == (403 if status == 403 else 200)
        assert client.post(place(product), units(blr_01=1)).status_code == status
    assert totals(product) == {"blr-01": 1}
    assert signed_in("Support").get(place(product)).status_code == 403


def test_a_product_that_is_not_there(manager) -> None:
    assert manager.get("/admin/inventory/inventory/first/9999/").status_code == 404

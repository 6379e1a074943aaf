"""Refused deletions explain why and link to what to do; allowed ones delete."""

import pytest
from django.contrib.auth.models import User

from inventory.models import Inventory, Warehouse
from reservations import services
from reservations.engine.commands import Holder
from tests.stock import pass_time, stocked

pytestmark = pytest.mark.django_db

WAREHOUSES, USERS = "/admin/inventory/warehouse/", "/admin/auth/user/"


def in_bulk(client, address: str, key: int, **more: str) -> str:
    """The response of the list's delete action."""
    form = {"action": "delete_selected", "_selected_action": key, **more}
    page: str = client.post(address, form, follow=True).content.decode()
    return page


def test_a_warehouse_with_stock_is_not_deleted_and_the_reason_is_shown(admin_client) -> None:
    row = stocked(3)
    stocked(2, product="oak")
    warehouse = row.warehouse
    for page in (
        admin_client.get(f"{WAREHOUSES}{warehouse.pk}/delete/").content.decode(),
        in_bulk(admin_client, WAREHOUSES, warehouse.pk),
    ):
        assert "cannot be deleted" in page, page[page.index("<main") :][:3000]
        assert (
            "blr-01 has a place for 2 products (5 units in stock), and the ledger has 2 lines"
            in page
        )
        assert f"{Inventory._meta.app_label}/inventory/?warehouse__id__exact={warehouse.pk}" in page
    admin_client.post(f"{WAREHOUSES}{warehouse.pk}/delete/", {"post": "yes"})
    in_bulk(admin_client, WAREHOUSES, warehouse.pk, post="yes")
    assert Warehouse.objects.filter(pk=warehouse.pk).exists()


def test_a_warehouse_that_never_had_anything_is_deleted(admin_client) -> None:
    warehouse = Warehouse.objects.create(code="new", name="New")
    admin_client.post(f"{WAREHOUSES}{warehouse.pk}/delete/", {"post": "yes"})
    assert not Warehouse.objects.exists()


def test_an_account_with_live_reservations_is_not_deleted(admin_client) -> None:
    row = stocked(5)
    buyer = User.objects.create_user("asha")
    services.reserve(product_id=row.product_id, quantity=2, holder=Holder(f"user:{buyer.pk}"))
    for page in (
        admin_client.get(f"{USERS}{buyer.pk}/delete/").content.decode(),
        in_bulk(admin_client, USERS, buyer.pk),
    ):
        assert "asha holds" in page
        assert f'/admin/reservations/reservation/?q=user:{buyer.pk}">1 live reservation</a>' in page
    admin_client.post(f"{USERS}{buyer.pk}/delete/", {"post": "yes"})
    in_bulk(admin_client, USERS, buyer.pk, post="yes")
    assert User.objects.filter(pk=buyer.pk).exists()
    pass_time(601)
    admin_client.post(f"{USERS}{buyer.pk}/delete/", {"post": "yes"})
    assert not User.objects.filter(pk=buyer.pk).exists()

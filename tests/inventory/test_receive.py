import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError

from inventory.exceptions import BelowReserved
from inventory.models import Inventory, StockMovement
from reservations import services
from reservations.engine.commands import Holder
from tests.stock import all_at_once, stocked
from tests.stock_room import receive


@pytest.mark.django_db
def test_received_units_are_added_with_a_ledger_line() -> None:
    row, staff = stocked(2), User.objects.create_user("staff")
    movement = receive(inventory_id=row.pk, units=5, actor=staff, note="Delivery 12")
    row.refresh_from_db()
    assert row.total_units == 7
    assert StockMovement.objects.first() == movement
    assert (movement.delta, movement.reason, movement.actor, movement.note) == (
        5,
        "received",
        staff,
        "Delivery 12",
    )


@pytest.mark.django_db
@pytest.mark.parametrize("units", [0, -2])
def test_a_change_that_breaks_the_books_is_refused_without_a_trace(units) -> None:
    row = stocked(2)
    services.reserve(product_id=row.product_id, quantity=1, holder=Holder("session:a"))
    with pytest.raises((IntegrityError, BelowReserved)):
        receive(inventory_id=row.pk, units=units)


@pytest.mark.django_db
def test_an_unknown_row_raises_does_not_exist() -> None:
    with pytest.raises(Inventory.DoesNotExist):
        receive(inventory_id=1, units=1)


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_concurrent_deliveries_all_count() -> None:
    row = stocked(0)
    all_at_once(8, lambda n: receive(inventory_id=row.pk, units=n + 1))
    row.refresh_from_db()
    assert row.total_units == 36
    assert StockMovement.objects.count() == 8

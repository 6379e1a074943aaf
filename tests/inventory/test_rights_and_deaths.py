"""Changes of stock with the shop's restricted database role, and with a worker that dies half
way."""

from collections.abc import Callable
from io import BytesIO

import pytest
from django.contrib.auth.models import User
from django.db import connection

from inventory import adjustments, low_stock, services
from inventory.exceptions import Busy
from inventory.models import Inventory, StockImport, StockMovement, Warehouse
from inventory.staff import importing, uploads
from reservations.clock.audit import audit_stock
from tests import stock_room
from tests.reservations.test_privileges import as_the_shop
from tests.stock import stocked

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def staff() -> User:
    return User.objects.create_user("asha")


def checked(rows: list[Inventory], staff: User) -> StockImport:
    lines = [f"{row.product.slug},{row.warehouse.code},1,received\n" for row in rows]
    file = BytesIO("".join(["product,warehouse,change,reason\n", *lines]).encode())
    kept = uploads.keep(file=file, file_name="x.csv", actor=staff)
    assert uploads.read_waiting() == 1
    kept.refresh_from_db()
    assert importing.begin(kept)
    return kept


def test_everything_staff_do_works_with_the_shops_role(settings, staff) -> None:
    row, there = stocked(9), Warehouse.objects.create(code="del-01", name="Delhi")
    settings.STAFF_EMAILS = ["stock@example.org"]
    with as_the_shop(settings):
        stock_room.write_off(inventory_id=row.pk, units=1, note="x", actor=staff)
        services.transfer(moves=[services.Move(row.pk, there.pk, 7)], actor=staff)
        services.set_threshold(thresholds={row.pk: 3})
        assert low_stock.watch() == 1
        kept = checked([row], staff)
        with importing.reported(kept) as progress:
            importing.apply(kept=kept, actor=staff, progress=progress)
        kept.refresh_from_db()
        assert (kept.state, kept.done) == ("applied", 2)
        uploads.prune()
        assert low_stock.watch() == 0
    assert audit_stock() == []


@pytest.mark.race
@pytest.mark.parametrize("steps", [1, 3, 4])
def test_a_worker_that_dies_half_way_changes_nothing(staff, monkeypatch, steps) -> None:
    monkeypatch.setattr(adjustments, "PORTION", 1)
    rows = [stocked(5, product=f"vase-{n}") for n in range(2)]
    kept = checked(rows, staff)
    with importing.reported(kept) as progress:
        importing.apply(kept=kept, actor=staff, progress=and_dies(progress, after=steps))
    connection.close()
    kept.refresh_from_db()
    assert (kept.state, kept.done) == ("checked", steps)
    assert kept.trouble == str(Busy())
    assert StockMovement.objects.count() == 2
    assert importing.begin(kept)
    importing.apply(kept=kept, actor=staff)
    assert list(Inventory.objects.values_list("total_units", flat=True)) == [6, 6]
    assert audit_stock() == []


def and_dies(progress: Callable[[int], None], after: int) -> Callable[[int], None]:
    """Reports progress like a worker, then loses its connection."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (victim,) = cursor.fetchone()

    def report(done: int) -> None:
        progress(done)
        if done == after:
            aside = connection.copy()
            with aside.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(%s)", [victim])
            aside.close()

    return report

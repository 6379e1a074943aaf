"""A filled database is migrated forward and back."""

from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from inventory import low_stock
from inventory.models import StockImport
from inventory.staff import uploads
from tests.migrations import carry
from tests.stock import stocked

pytestmark = pytest.mark.django_db(transaction=True)


def imports_at(name: str) -> Any:
    state = MigrationExecutor(connection).loader.project_state([("inventory", name)])
    return state.apps.get_model("inventory", "StockImport")


def upload(text: str) -> None:
    actor, _ = User.objects.get_or_create(username="asha")
    uploads.keep(file=BytesIO(text.encode()), file_name=f"{len(text)}.csv", actor=actor)


def imports() -> Iterator[None]:
    stocked(5)
    upload("product,warehouse,change,reason\ntidal,blr-01,1,received\n")
    upload("no heading")
    uploads.read_waiting()
    upload("still waits")
    yield
    old = imports_at("0003_applied_import_is_final")
    [kept] = old.objects.all()
    assert (kept.state, kept.stockimportrow_set.count()) == ("checked", 1)
    old.objects.create(file_name="old", row_count=0, error_count=0, actor_id=kept.actor_id)
    yield
    assert {(row.state, row.digest, row.remark) for row in StockImport.objects.all()} == {
        ("checked", "", "")
    }
    assert uploads.read_waiting() == 0


def low_stock_and_its_claims() -> Iterator[None]:
    stocked(1, product="bowl")
    assert low_stock.watch() == 1
    stocked(1, product="other")
    yield
    with connection.cursor() as cursor:
        cursor.execute("SELECT claim, claimed_at, notified_at IS NULL FROM inventory_lowstock")
        assert cursor.fetchall() == [(None, None, False)]
    yield
    assert low_stock.watch() == 1


def test_imports_come_through_reading_by_workers_and_low_stock_through_the_loss_of_its_claims(
    settings,
) -> None:
    """And back, in one walk."""
    settings.STAFF_EMAILS = ["stock@example.org"]
    # Below the migration 0007, which takes the claims away.
    carry([imports(), low_stock_and_its_claims()], ("inventory", "0004_files_are_read_by_workers"))

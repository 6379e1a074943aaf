"""Imports come through reading by workers, and low stock through the loss of its claims."""

from collections.abc import Iterator
from io import BytesIO
from typing import Any

from django.contrib.auth.models import User
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from inventory import low_stock
from inventory.models import StockImport
from inventory.staff import uploads
from tests.stock import stocked

# Below the migration 0007, which takes the claims away.
FIRST = ("inventory", "0004_files_are_read_by_workers")


def imports_at(name: str) -> Any:
    state = MigrationExecutor(connection).loader.project_state([("inventory", name)])
    return state.apps.get_model("inventory", "StockImport")


def upload(text: str) -> None:
    actor, _ = User.objects.get_or_create(username="binu")
    uploads.keep(file=BytesIO(text.encode()), file_name=f"{len(text)}.csv", actor=actor)


def imports() -> Iterator[None]:
    """A part of a walk: see `tests/migrations.py`."""
    stocked(5, product="cup")
    upload("product,warehouse,change,reason\ncup,blr-01,1,received\n")
    upload("no heading")
    uploads.read_waiting()
    upload("still waits")
    yield
    old = imports_at("0003_applied_import_is_final")
    [kept] = old.objects.filter(actor__username="binu")
    assert (kept.state, kept.stockimportrow_set.count()) == ("checked", 1)
    old.objects.create(file_name="old", row_count=0, error_count=0, actor_id=kept.actor_id)
    yield
    mine = StockImport.objects.filter(actor__username="binu")
    assert {(row.state, row.digest, row.remark) for row in mine} == {("checked", "", "")}
    assert uploads.read_waiting() == 0


def low_stock_and_its_claims() -> Iterator[None]:
    """Another part, before whose start and end nothing else is low."""
    stocked(1, product="dish")
    assert low_stock.watch() == 1
    stocked(1, product="plate")
    yield
    with connection.cursor() as cursor:
        cursor.execute("SELECT claim, claimed_at, notified_at IS NULL FROM inventory_lowstock")
        assert cursor.fetchall() == [(None, None, False)]
    yield
    assert low_stock.watch() == 1

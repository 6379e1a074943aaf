"""A client that froze loses its locks, and jobs that take long may take long."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import Error, connection, transaction

from allo.postgresql import base, timeouts
from allo.postgresql.faults import sqlstate_of
from catalog.models import Category
from catalog.seeding import FOLDER
from inventory.models import Inventory, StockImport
from inventory.staff import importing, uploads
from reservations import services
from reservations.clock import audit
from reservations.engine.commands import Holder
from reservations.models import Reservation
from tests.database.conftest import connected
from tests.running import PROJECT
from tests.server import environment_here
from tests.staff.forms import sent
from tests.staff.test_products import photograph, upload
from tests.stock import stocked

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]


@contextmanager
def frozen(row: int) -> Iterator[subprocess.Popen[bytes]]:
    """A process that stands still while it holds the row."""
    limits = {"TRANSACTION_TIMEOUT_MS": "2000", "LOCK_TIMEOUT_MS": "500"}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.database.frozen", str(row)],
        cwd=PROJECT, env=environment_here(**limits), stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        yield process
    finally:
        process.kill()
        process.communicate()


def test_the_row_of_a_frozen_worker_is_free_before_those_who_wait_give_up(settings) -> None:
    """It stays frozen to the end; the server ended its transaction."""
    settings.LOCK_TIMEOUT_MS = 12_000
    row = stocked(5)
    with frozen(row.pk):
        hold = services.reserve(product_id=row.product_id, quantity=1, holder=Holder("session:1"))
    assert isinstance(hold, Reservation)
    assert Inventory.objects.get(pk=row.pk).reserved_units == 1
    assert list(Reservation.objects.values_list("holder", flat=True)) == ["session:1"]
    assert audit.audit_stock() == []


def show(name: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"SHOW {name}")
        return str(cursor.fetchone()[0])


def test_each_connection_limits_its_transactions(hurried) -> None:
    assert show("transaction_timeout") == "1s"
    with pytest.raises(Error) as caught, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(5)")
    assert sqlstate_of(caught.value) == "25P04"


def test_a_limit_is_not_set_on_a_server_without_it(monkeypatch) -> None:
    monkeypatch.setattr(base, "KNOWS_TRANSACTION_TIMEOUT", 990_000)
    with connected({"transaction_timeout": 200}):
        assert show("transaction_timeout") == "0"


def test_what_is_lifted_is_so_to_the_end_of_the_transaction(hurried) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        timeouts.lift()
        assert (show("transaction_timeout"), show("statement_timeout")) == ("0", "0")
        cursor.execute("SELECT pg_sleep(1.2)")
    assert (show("transaction_timeout"), show("statement_timeout")) == ("1s", "15s")


# --- Long jobs ------------------------------------------------------------------------------------


@contextmanager
def unlimited(words: str) -> Iterator[None]:
    """There are statements with these words, each in a transaction whose limits were lifted."""
    found: set[str] = set()

    def look(execute: Any, sql: Any, params: Any, many: Any, context: Any) -> Any:
        if words in str(sql):
            cursor = context["cursor"].cursor
            found.add(cursor.execute("SHOW transaction_timeout").fetchone()[0])
        return execute(sql, params, many, context)

    with connection.execute_wrapper(look):
        yield
    assert found == {"0"}


def test_an_audit_may_take_its_time(limited) -> None:
    stocked(5)
    with unlimited("SELECT 'inventory '"):
        assert audit.audit_stock() == []


def test_a_repair_may_take_its_time(limited) -> None:
    row = stocked(5)
    Inventory.objects.update(reserved_units=2)
    with unlimited("UPDATE"):
        assert [repair.inventory_id for repair in audit.repair_reserved()] == [row.pk]


def test_a_file_may_take_its_time_to_be_read_and_applied(limited) -> None:
    row, actor = stocked(5), User.objects.create(username="keeper")
    line = f"product,warehouse,change,reason\n{row.product.slug},{row.warehouse.code},5,received\n"
    kept = uploads.keep(file=BytesIO(line.encode()), file_name="stock.csv", actor=actor)
    with unlimited('INSERT INTO "inventory_stockimportrow"'):
        assert uploads.read_waiting() == 1
    assert importing.begin(kept)
    with unlimited("INSERT INTO inventory_stockmovement"):
        importing.apply(kept=kept, actor=actor)
    kept.refresh_from_db()
    assert kept.state == StockImport.State.APPLIED


def test_the_seed_may_take_its_time(limited, tmp_path: Path, settings) -> None:
    settings.MEDIA_ROOT = tmp_path
    with unlimited('INSERT INTO "catalog_product"'):
        call_command("seed_catalogue", folder=FOLDER, stdout=StringIO())


def test_a_products_form_may_take_its_time(client, tmp_path, settings) -> None:
    """Re-encoding its pictures takes seconds, in which the admin's transaction is idle."""
    settings.MEDIA_ROOT = tmp_path
    product = stocked(5).product
    client.force_login(User.objects.create_superuser("boss"))
    page = f"/admin/catalog/product/{product.pk}/change/"
    other = Category.objects.create(name="Other", slug="other")
    further = [upload(photograph()) for _ in range(2)]
    form = sent(client.get(page), "product_form", category=other.pk, further=further)
    options = connection.settings_dict["OPTIONS"]["options"]
    idle = f"{options} -c idle_in_transaction_session_timeout=200"
    with connected({"transaction_timeout": 60_000, "options": idle}), unlimited("catalog_category"):
        response = client.post(page, form)
    assert response.status_code == 302, response.content.decode()
    assert product.pictures.count() == 2


# --- The role's own defaults ----------------------------------------------------------------------


def test_the_role_itself_has_the_timeouts_as_a_pooler_drops_those_of_a_connection(settings) -> None:
    settings.TIMEOUTS = {**settings.TIMEOUTS, "transaction_timeout": 3100, "lock_timeout": 1700}
    timeouts.keep_with_role(connection)
    try:
        with connected({"options": "", "transaction_timeout": None}):
            assert {name: show(name) for name in settings.TIMEOUTS} == {
                "lock_timeout": "1700ms",
                "statement_timeout": "15s",
                "idle_in_transaction_session_timeout": "10s",
                "transaction_timeout": "3100ms",
            }
    finally:
        with connection.cursor() as cursor:
            name = connection.ops.quote_name(connection.settings_dict["NAME"])
            cursor.execute(f"ALTER ROLE CURRENT_USER IN DATABASE {name} RESET ALL")

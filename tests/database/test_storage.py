"""A really full disk: the server's files are links to /dev/full, where every write fails."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from math import inf
from pathlib import Path

import pytest
from django.db import connection

from allo.postgresql import base
from inventory.exceptions import Storage as StockStorage
from reservations import services
from reservations.clock.audit import audit_stock
from reservations.engine.commands import Holder
from reservations.exceptions import Storage
from reservations.models import IdempotencyKey, Reservation
from tests import stock_room
from tests.stock import stocked

pytestmark = pytest.mark.django_db(transaction=True)


def asked(statement: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return str(cursor.fetchone()[0])


def data_folder() -> Path:
    """The data folder of this connection's server."""
    return Path(f"/proc/{asked('SELECT pg_backend_pid()')}/cwd").readlink()


@contextmanager
def no_room_for(table: str) -> Iterator[None]:
    """Makes the table's file, which has no rows, unable to grow."""
    with connection.cursor() as cursor:
        # Rows that an earlier test has rolled back are still in it.
        cursor.execute(f"VACUUM FULL {table}")
    file = data_folder() / asked(f"SELECT pg_relation_filepath('{table}')")
    owner = file.stat()
    assert owner.st_size == 0
    connection.close()
    file.unlink()
    file.symlink_to("/dev/full")
    try:
        yield
    finally:
        connection.close()
        file.unlink()
        file.touch(0o600)
        os.chown(file, owner.st_uid, owner.st_gid)
        base.storage_failed_at = -inf


@contextmanager
def no_room_for_files() -> Iterator[None]:
    """Makes this connection's server process fail to write temporary files."""
    folder = data_folder() / "base" / "pgsql_tmp"
    folder.mkdir(exist_ok=True)
    pid = asked("SELECT pg_backend_pid()")
    files = [folder / f"pgsql_tmp{pid}.{number}" for number in range(20)]
    for file in files:
        file.symlink_to("/dev/full")
    try:
        yield
    finally:
        connection.close()
        for file in files:
            file.unlink(missing_ok=True)
        base.storage_failed_at = -inf


def test_with_a_full_disk_the_shop_says_so_and_is_not_ready(client) -> None:
    row = stocked(5)
    client.get("/p/tidal/reserve/")
    with no_room_for("reservations_reservation"):
        with pytest.raises(Storage):
            services.reserve(product_id=row.product_id, quantity=1, holder=Holder("session:1"))
        page = client.post("/p/tidal/reserve/", {"quantity": 1, "idempotency_key": "k"})
        part = client.post(
            "/p/tidal/reserve/", {"quantity": 1, "idempotency_key": "l"},
            headers={"HX-Request": "true"},
        )  # fmt: skip
        call = client.post(
            "/api/reservations", {"product": "tidal", "quantity": 1}, "application/json",
            headers={"Idempotency-Key": "m"},
        )  # fmt: skip
        ready = client.get("/readyz")
    assert page.status_code == part.status_code == call.status_code == 503
    assert "The shop’s disk is full" in page.content.decode()
    assert "charged" not in page.content.decode()
    assert "We cannot save anything right now." in part.content.decode()
    assert "The shop has no disk space left" in part.content.decode()
    assert call.json()["code"] == "storage"
    for response in (page, part, call):
        assert response.headers["Retry-After"] == "60"
    assert (ready.status_code, ready.json()["storage"]) == (503, "full")
    assert audit_stock() == []
    # Nothing was stored under the keys, so the same request is served when there is space.
    assert not IdempotencyKey.objects.exists()
    assert services.reserve(product_id=row.product_id, quantity=1, holder=Holder("session:1"))
    again = client.get("/readyz")
    assert again.status_code == 200, again.content
    assert Reservation.objects.count() == 1


def test_with_a_full_disk_staff_get_a_refusal_in_their_words() -> None:
    row = stocked(0)
    with no_room_for("inventory_stockmovement"), pytest.raises(StockStorage) as caught:
        stock_room.receive(inventory_id=row.pk, units=1)
    assert str(caught.value) == (
        "The database has no disk space left. Nothing was changed. Free space on its disk first."
    )
    assert audit_stock() == []


def test_a_process_that_wrote_nothing_detects_the_full_disk(client) -> None:
    """A process does not know of others' failures, so each readiness check writes something."""
    with no_room_for_files():
        ready = client.get("/readyz")
        assert (ready.status_code, ready.json()["storage"]) == (503, "full")
    assert client.get("/readyz").json()["storage"] == "ok"

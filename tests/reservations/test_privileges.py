"""What the shop's own database role is refused, and that the shop works with what it has."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from urllib.parse import unquote, urlsplit

import pytest
from django.core.management import call_command
from django.db import ProgrammingError, connection

from inventory.models import Inventory
from reservations import services
from reservations.expiry import expire_due
from reservations.models import Reservation
from reservations.pruning import prune
from tests.reservations.test_verbs import hold
from tests.stock import pass_time, stocked

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def as_the_shop(settings) -> Iterator[None]:
    """With the database open to the shop's own role, as `make test` has made it."""
    shop = urlsplit(os.environ["APP_DATABASE_URL"])
    settings.SHOP_ROLE = shop.username
    call_command("grant_privileges", stdout=StringIO())
    owner = {name: connection.settings_dict[name] for name in ("USER", "PASSWORD")}
    connect_as({"USER": shop.username, "PASSWORD": unquote(shop.password or "")})
    try:
        yield
    finally:
        connect_as(owner)


def connect_as(login: dict[str, object]) -> None:
    connection.close()
    connection.settings_dict.update(login)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE inventory_stockmovement SET delta = 9",
        "DELETE FROM inventory_stockmovement",
        "DELETE FROM reservations_reservation",
        "DELETE FROM inventory_inventory",
        "UPDATE reservations_repair SET held = 9",
        "UPDATE reservations_staffaction SET reason = 'other'",
        "DELETE FROM reservations_staffaction",
        "TRUNCATE inventory_stockmovement",
        "TRUNCATE reservations_reservation CASCADE",
        "ALTER TABLE inventory_inventory DROP CONSTRAINT reserved_lte_total",
        "ALTER TABLE inventory_stockmovement DISABLE TRIGGER ALL",
        "DROP TABLE reservations_reservation",
        "CREATE TABLE loot (id int)",
        "SET session_replication_role = replica",
        "DELETE FROM django_migrations",
    ],
)
def test_the_shops_role_is_refused(settings, statement) -> None:
    stocked(5)
    with (
        as_the_shop(settings),
        pytest.raises(ProgrammingError, match="permission denied|must be owner"),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)


def test_the_shops_role_is_refused_to_change_a_final_reservation(settings) -> None:
    row = stocked(5)
    with as_the_shop(settings):
        services.release(reservation_id=hold(row).pk)
        with pytest.raises(Exception, match="final_is_final"):
            Reservation.objects.update(quantity=9)


def test_every_verb_works_with_the_shops_role(settings) -> None:
    row = stocked(9)
    with as_the_shop(settings):
        services.confirm(reservation_id=hold(row, 2, "session:a").pk)
        services.renew(reservation_id=hold(row, 2, "session:b").pk)
        services.release(reservation_id=hold(row, 2, "session:c").pk)
        pass_time(9999)
        assert expire_due().expired == 1
        prune()
        call_command("audit_stock", verbosity=0)
        assert Inventory.objects.get().total_units == 7

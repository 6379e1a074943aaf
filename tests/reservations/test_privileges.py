"""What the shop's database role may not do, and that the shop works with its privileges."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from urllib.parse import unquote, urlsplit

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.db import ProgrammingError, connection
from django.utils import timezone

from allo.tasks import prune as prune_sessions
from checkout.audit import audit_money
from checkout.models import Order
from inventory.models import Inventory
from inventory.staff import uploads
from reservations import services
from reservations.clock.expiry import expire_due
from reservations.clock.pruning import prune
from reservations.models import Reservation
from tests.checkout.orders import brought, opened, refund
from tests.reservations.test_database_refuses import refused_by
from tests.reservations.test_verbs import hold
from tests.stock import pass_time, stocked

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def as_the_shop(settings) -> Iterator[None]:
    """Connects as the shop's role, which `make test` has made."""
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
        "UPDATE django_admin_log SET object_repr = 'other'",
        "DELETE FROM django_admin_log",
        "TRUNCATE django_admin_log",
        "DROP TRIGGER admin_log_is_append_only ON django_admin_log",
        "ALTER TABLE django_admin_log DISABLE TRIGGER ALL",
        "UPDATE reservations_auditrun SET findings = '[]'",
        "UPDATE reservations_idempotencykey SET body = ''",
        "UPDATE reservations_sweep SET expired = 0",
        "UPDATE auth_user_groups SET user_id = 1",
        "DELETE FROM reservations_apitoken",
        "DELETE FROM checkout_charge",
        "DELETE FROM checkout_refund",
        "UPDATE checkout_orderevent SET note = ''",
        "TRUNCATE checkout_order CASCADE",
        "INSERT INTO auth_permission (name, content_type_id, codename) VALUES ('x', 1, 'x')",
        "DELETE FROM django_content_type",
    ],
)
def test_the_shops_role_is_refused_what_it_never_does(settings, statement) -> None:
    stocked(5)
    person = User.objects.create_user("asha")
    LogEntry.objects.log_actions(person.pk, [person], CHANGE, "Renamed")
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


IGNORED = """
    SELECT set_config('pgtrigger.ignore', array_agg(tgname::text)::text, false) FROM pg_trigger
    WHERE tgname LIKE 'pgtrigger_%%'
"""


def test_shop_role_cannot_change_a_decision(settings) -> None:
    """Nor anything else that triggers hold of orders and money, and it cannot pass over them."""
    order = brought(opened(hold(stocked(5))), "paid")
    refund(order.charges.get(), 5)
    refused = {
        "UPDATE checkout_charge SET decision = 'give_back'": "decision_is_final",
        "UPDATE checkout_charge SET refunded_paise = 0": "refunded_is_the_sum_of_refunds",
        "UPDATE checkout_charge SET fact = 'authorised'": "fact_only_moves_forward",
        "UPDATE checkout_refund SET amount = 4": "refund_stays_as_made",
        "UPDATE checkout_order SET total_paise = 1": "order_stays_as_made",
        "UPDATE checkout_order SET state = 'delivered'": "order_moves_along_its_states",
        "UPDATE checkout_orderline SET quantity = 9": "line_stays_as_made",
        "UPDATE checkout_payment SET provider = 'none'": "invitation_stays_as_made",
        "DELETE FROM checkout_order": "orders_with_money_are_kept",
        "DELETE FROM checkout_orderline": "line_goes_with_its_order",
        "UPDATE reservations_reservation SET quantity = 9": "final_is_final",
    }
    with as_the_shop(settings), connection.cursor() as cursor:
        cursor.execute(IGNORED)
        for statement, constraint in refused.items():
            with refused_by(constraint):
                cursor.execute(statement)


def test_an_order_is_paid_packed_and_refunded_with_the_shops_role(settings) -> None:
    row, dropped = stocked(5), stocked(5, product="dropped")
    with as_the_shop(settings):
        order = brought(opened(hold(row)), "delivered")
        refund(order.charges.get(), 5, line=order.order_lines.get(), units=1)
        order.order_events.create(what="refunded")
        other = brought(opened(hold(dropped)), "dropped")
        other.payments.update(closed_at=timezone.now())
        Order.objects.filter(pk=other.pk)._raw_delete("default")
        assert Order.objects.get().charges.get().refunded_paise == 5
        assert [finding.invariant for finding in audit_money()] == ["P7"]


def test_every_verb_works_with_the_shops_role(settings) -> None:
    row = stocked(9)
    with as_the_shop(settings):
        services.confirm(reservation_id=hold(row, 2, "session:a").pk)
        services.renew(reservation_id=hold(row, 2, "session:b").pk)
        services.release(reservation_id=hold(row, 2, "session:c").pk)
        pass_time(9999)
        assert expire_due().expired == 1
        prune()
        uploads.prune()
        prune_sessions()
        call_command("audit_stock", verbosity=0)
        assert Inventory.objects.get().total_units == 7


def test_an_account_with_log_entries_is_not_deleted(settings, client) -> None:
    asha, ravi = (User.objects.create_user(name) for name in ("asha", "ravi"))
    LogEntry.objects.log_actions(asha.pk, [ravi], CHANGE, "Renamed")
    boss = User.objects.create_superuser("boss")
    client.force_login(boss)
    with as_the_shop(settings):
        refused = client.post(f"/admin/auth/user/{asha.pk}/delete/", {"post": "yes"})
        assert "What asha did in the admin" in refused.content.decode()
        deleted = client.post(f"/admin/auth/user/{ravi.pk}/delete/", {"post": "yes"})
        assert deleted.status_code == 302
        assert set(User.objects.values_list("username", flat=True)) == {"asha", "boss"}


def test_staff_are_given_roles_and_lose_them_with_the_shops_role(settings, client) -> None:
    asha = User.objects.create_user("asha")
    with as_the_shop(settings):
        asha.groups.set(Group.objects.filter(name__in=["Viewer", "Support"]))
        asha.groups.set(Group.objects.filter(name="Support"))
        assert asha.groups.get().name == "Support"

"""What the clock forgets, when, and how much at a time."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from allo import pruning, tasks
from allo.site.sources import SOURCES
from checkout import contacts
from checkout.audit import audit_money
from checkout.contacts import Typed
from checkout.models import Contact, Order, OrderEvent, OrderLine, Payment
from checkout.models.order_triggers import TIMES
from checkout.orders import links
from checkout.orders.showing import Shown
from inventory.models import Inventory
from reservations import services
from reservations.clock import forgetting
from reservations.clock.audit import audit_stock
from reservations.models import AdoptedHolder, Forgotten, Reservation
from tests.checkout.orders import ERASED, SELLER, brought, charged, opened
from tests.project.test_documents import plain_defaults, rows
from tests.reservations.test_privileges import as_the_shop
from tests.reservations.test_verbs import hold
from tests.running import PROJECT
from tests.shopping import press_reserve
from tests.stock import stocked

pytestmark = pytest.mark.django_db(transaction=True)

NETWORK = "192.0.2.1/32"
DAY = timedelta(days=1)


def ended(
    row: Any, days: float, holder: str = "visitor:1", verb: Any = None, network: str = NETWORK
) -> Reservation:
    """A hold that ended so many days ago: released, unless another verb ends it."""
    held = hold(row, 1, holder, network)
    ago = timezone.now() - days * DAY
    contacts.keep(Typed(held.pk, "Asha", "asha@example.org"))
    Reservation.objects.filter(pk=held.pk).update(
        created_at=ago - 60 * DAY / 1440, expires_at=ago + DAY
    )
    status = {services.confirm: "confirmed"}.get(verb, "released")
    # As the engine writes it, but at that time.
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE reservations_reservation SET status = %s, ended_at = %s WHERE id = %s;"
            " UPDATE inventory_inventory SET reserved_units = reserved_units - 1 WHERE id = %s",
            [status, ago, held.pk, row.pk],
        )
    return held


def whose(held: Reservation) -> tuple[str, str]:
    """Its holder and its network, which is known or forgotten with the one around it."""
    held.refresh_from_db()
    assert bool(held.around) == ("/" in held.address)
    return held.holder, held.address


# --- reservations -------------------------------------------------------------------------------


def test_the_network_and_then_the_visitor_of_what_ended_are_forgotten() -> None:
    row = stocked(9)
    ages = [ended(row, days, f"visitor:{days}") for days in (29, 31, 179, 181)]
    merchant = ended(row, 181, "token:5:ravi", network="token:5")
    account = ended(row, 181, "user:7")
    adopted = ended(row, 181, "visitor:asha")
    AdoptedHolder.objects.create(holder="visitor:asha", account="user:7")
    live = hold(row, 1, "visitor:live", NETWORK)
    tasks.prune()
    assert [whose(held) for held in ages] == [
        ("visitor:29", NETWORK), ("visitor:31", ""), ("visitor:179", ""), ("nobody", ""),
    ]  # fmt: skip
    assert whose(merchant) == ("token:5:nobody", "token:5")
    assert (whose(account), whose(adopted)) == (("user:7", ""), ("visitor:asha", ""))
    assert whose(live) == ("visitor:live", NETWORK)
    assert audit_stock() == []


def updates(queries: CaptureQueriesContext) -> list[int]:
    """How many reservations each statement forgot."""
    found = [query["sql"] for query in queries]
    return [
        sql.count("::uuid") for sql in found if sql.startswith('UPDATE "reservations_reservation"')
    ]


def test_a_walk_goes_on_where_it_ended_a_portion_at_a_time(monkeypatch, settings) -> None:
    monkeypatch.setattr(pruning, "PORTION", 2)
    row = stocked(9)
    old = [ended(row, 200 + n, f"visitor:{n}") for n in range(5)]
    with CaptureQueriesContext(connection) as queries:
        forgetting.forget()
    assert updates(queries) == [2, 2, 1] * 2
    assert {whose(held) for held in old} == {("nobody", "")}
    # What ends later is found, and what lies behind the mark is not read again.
    later = ended(row, 170, "visitor:later")
    Reservation.objects.filter(pk=later.pk).update(address="", around="")
    settings.KEEP_VISITORS_DAYS = 160
    with CaptureQueriesContext(connection) as queries:
        forgetting.forget()
    assert whose(later) == ("nobody", "")
    assert updates(queries) == [1]
    # Nor if more is to be kept from now on.
    settings.KEEP_VISITORS_DAYS = 300
    forgetting.forget()
    assert all(mark.until > timezone.now() - 161 * DAY for mark in Forgotten.objects.all())


def test_reservations_that_ended_at_one_moment_are_not_parted(monkeypatch) -> None:
    monkeypatch.setattr(pruning, "PORTION", 2)
    row, ago = stocked(9), timezone.now() - 200 * DAY
    held = [hold(row, 1, f"visitor:{n}", NETWORK) for n in range(5)]
    Reservation.objects.update(status="expired", ended_at=ago, created_at=ago - DAY, expires_at=ago)
    forgetting.forget()
    assert {whose(each) for each in held} == {("nobody", "")}


# What is history, and says nothing of a person.
HISTORY = {
    "id", "inventory_id", "quantity", "unit_paise", "name", "status", "created_at", "expires_at",
    "ended_at", "renewals", "withdrawn", "paying_since", "window_given",
    "provider_failed_at",
}  # fmt: skip


def test_each_column_of_a_reservation_is_history_or_is_forgotten() -> None:
    columns = {field.attname for field in Reservation._meta.concrete_fields}
    assert columns == HISTORY | {"holder", "address", "around"}


# --- contacts -----------------------------------------------------------------------------------


def test_drafts_of_what_was_not_bought_are_deleted() -> None:
    row = stocked(9)
    young, old = ended(row, 29, "visitor:a"), ended(row, 31, "visitor:b")
    sold = ended(row, 31, "visitor:c", services.confirm)
    live = hold(row)
    contacts.keep(Typed(live.pk, "Asha", ""))
    tasks.prune()
    assert set(Contact.objects.values_list("pk", flat=True)) == {young.pk, sold.pk, live.pk}
    # A page that was open all the time brings it back no more.
    contacts.keep(Typed(old.pk, "Asha", "asha@example.org"))
    assert not Contact.objects.filter(pk=old.pk).exists()


# --- orders -------------------------------------------------------------------------------------


def dropped(row: Any, days: float, **more: Any) -> Order:
    held = hold(row, 1, f"visitor:{days}")
    order = opened(held, opened_at=timezone.now() - (days + 1) * DAY)
    OrderEvent.objects.create(order=order, what="note")
    Order.objects.filter(pk=order.pk).update(
        state="dropped", dropped_at=timezone.now() - days * DAY
    )
    order.payments.update(**{"closed_at": timezone.now(), "look_at": None, **more})
    return order


def test_what_was_never_paid_is_deleted_with_all_that_is_of_it(settings) -> None:
    row = stocked(9)
    dropped(row, 31)
    young, watched, paid = (
        dropped(row, 29),
        dropped(row, 32, look_at=timezone.now()),
        dropped(row, 33),
    )
    charged(paid, "give_back")
    waiting = opened(hold(row), opened_at=timezone.now() - 90 * DAY)
    with as_the_shop(settings):
        tasks.prune()
    kept = {young.pk, watched.pk, paid.pk, waiting.pk}
    assert set(Order.objects.values_list("pk", flat=True)) == kept
    for part in (OrderLine, Payment, OrderEvent):
        assert set(part.objects.values_list("order", flat=True)) <= kept
    assert Reservation.objects.count() == 5


def test_an_old_order_loses_its_person_and_nothing_else(settings) -> None:
    row = stocked(9)
    years = timedelta(days=366 * 8)
    orders = []
    for age in (years + DAY, years - DAY):
        held = hold(row, 1, f"visitor:{age.days}")
        contacts.keep(Typed(held.pk, "Asha", "asha@example.org"))
        order = opened(held, opened_at=timezone.now() - age)
        Reservation.objects.filter(pk=held.pk).update(created_at=timezone.now() - age)
        orders.append(brought(order, "delivered"))
        number = f"AL26-27/{len(orders):06}"
        Order.objects.filter(pk=order.pk).update(invoice_number=number, **SELLER)
    before = Order.objects.values(*KEPT).get(pk=orders[0].pk)
    with as_the_shop(settings):
        tasks.prune()
    old, young = (Order.objects.get(pk=order.pk) for order in orders)
    assert {field: getattr(old, field) for field in ERASED} == ERASED
    assert (old.holder, old.account) == ("nobody", None)
    assert Order.objects.values(*KEPT).get(pk=old.pk) == before
    assert (young.name, young.holder) == ("Asha Rao", orders[1].holder)
    # By its address it was known that it was sent, and whose tax was in it.
    page = Client().get(links.with_key(links.path_to(old), old), follow=True).content.decode()
    assert "Not kept any more" in page
    assert "ollected" not in page
    assert (Shown(old).has_invoice, Shown(young).has_invoice) == (False, True)
    assert [finding.row for finding in audit_money() if finding.invariant != "P7"] == []


KEPT = [
    "id", "number", "state", "opened_at", *TIMES, "total_paise", "shipping_paise",
    "shipping_gst_percent", "shipping_gst_paise", "by_program", "invoice_number", *SELLER,
]  # fmt: skip


def test_each_column_of_an_order_is_kept_or_is_forgotten() -> None:
    columns = {field.attname for field in Order._meta.concrete_fields}
    assert columns == {*KEPT, *ERASED, "holder", "account_id"}


# --- the task, and what the documents say of it -------------------------------------------------


def test_one_that_fails_does_not_stop_the_others(monkeypatch, caplog) -> None:
    def fails() -> None:
        raise RuntimeError("no disk")

    done: list[int] = []
    monkeypatch.setattr(tasks, "FORGETS", (fails, lambda: done.append(1)))
    tasks.prune()
    assert done == [1]
    assert "fails" in caplog.text


# Of the clock's own records, and of files that staff upload.
NOT_OF_PEOPLE = {
    "KEEP_SWEEPS_DAYS", "KEEP_AUDITS_DAYS", "KEEP_IMPORTS_DAYS", "KEEP_IMPORT_LINES_DAYS",
}  # fmt: skip
UNITS = {"HOURS": "hours", "DAYS": "days", "YEARS": "years"}


def test_the_page_about_privacy_says_how_long() -> None:
    ages = {
        name: f"{default} {UNITS[name.rpartition('_')[2]]}"
        for name, default in plain_defaults()
        if re.match(r"KEEP_|ORDER_RETENTION_", name) and name not in NOT_OF_PEOPLE
    }
    assert len(ages) >= 8
    told = [cells[2].strip("| ") for cells in rows("docs/privacy.md") if len(cells) == 3]
    found = {name: cell for cell in told for name in re.findall(r"`([A-Z_]+)`", cell)}
    assert found.keys() == ages.keys()
    assert all(found[name].startswith(age) for name, age in ages.items())


def test_the_page_about_privacy_names_every_cookie(client) -> None:
    """Those of a shopper who reserves something, and of one who is signed in."""
    press_reserve(client, stocked(2))
    client.force_login(User.objects.create_user("asha"))
    press_reserve(client, Inventory.objects.get())
    text = (PROJECT / "docs/privacy.md").read_text()
    assert len(client.cookies) == 5
    assert [name for name in client.cookies if f"`{name}`" not in text] == []


def test_the_shop_has_the_page_and_leads_to_it(client) -> None:
    page = client.get("/privacy/")
    assert "how long" in page.content.decode()
    assert '<a href="/privacy/">Privacy</a>' in client.get("/docs/").content.decode()
    assert {source.path for source in SOURCES} >= {"docs/privacy.md"}

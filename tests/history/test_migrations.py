"""A filled database migrates from the last version: its indexes come and go, and its books
balance."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from catalog.models import Product
from checkout.audit import audit_money
from checkout.models import Contact, Order, Refund
from inventory.models import StockImport, StockImportRow
from reservations import services
from reservations.clock.audit import audit_stock, run_audit
from reservations.models import AuditRun, Reservation, StaffAction, WaitingEntry
from reservations.staff.verbs import release
from reservations.waiting.services import serve
from tests.catalog import carried as catalog
from tests.checkout.orders import SELLER, brought, opened, refund
from tests.inventory import carried as inventory
from tests.migrations import before, carry
from tests.outbox import carried as outbox
from tests.reservations import carried as reservations
from tests.reservations.test_verbs import hold
from tests.shopping import holding, press
from tests.stock import stocked
from tests.waiting import joined, offer_of

pytestmark = pytest.mark.django_db(transaction=True)

INDEXES = {
    "allo.0003_admin_log_by_person_and_by_object": {"admin_log_by_person", "admin_log_by_object"},
    "catalog.0008_orders_of_the_grid_by_index": {
        "product_by_place",
        "product_by_newest",
        "product_by_price",
        "product_by_price_down",
        "product_by_name",
    },
    "checkout.0004_contacts_by_index": {"contact_by_name", "contact_by_time"},
    "inventory.0006_lists_of_imports_by_index": {
        "import_by_time",
        "import_by_state",
        "import_by_file_name",
        "import_row_by_product",
    },
    "reservations.0012_staff_actions_by_index": {"staff_action_by_kind", "staff_action_by_reason"},
}


def there() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexname FROM pg_indexes WHERE schemaname = 'public'")
        return {name for (name,) in cursor.fetchall()}


def fill(client) -> None:
    actor = User.objects.create_user("asha", is_staff=True)
    row = stocked(5)
    hold = holding(client, row)
    press(client, hold, "contact", name="Asha", email="asha@example.org")
    release(reservation_id=hold.pk, actor=actor, reason="It broke")
    LogEntry.objects.log_actions(actor.pk, [row], CHANGE, "Seen")
    kept = StockImport.objects.create(file_name="May.csv", row_count=1, error_count=0, actor=actor)
    StockImportRow.objects.create(stock_import=kept, line=2, product="tidal")


# Staff release another one in `reservations.holds_and_sales`.
FILLED = [1, 2, 1, 1, 1]


def filled() -> list[int]:
    imports = StockImport.objects.filter(file_name="May.csv")
    rows = StockImportRow.objects.filter(product="tidal")
    models = (Contact, StaffAction, LogEntry)
    return [*(model.objects.count() for model in models), imports.count(), rows.count()]


def indexes(client: Client) -> Iterator[None]:
    fill(client)
    made = set().union(*INDEXES.values())
    yield
    assert there() & made == set()
    assert filled() == FILLED
    yield
    assert there() >= made
    assert filled() == FILLED


def orders_and_their_money(settings: Any) -> Iterator[None]:
    """What was sold before has no order, and needs none. Back again, orders are gone, but what they
    sold stays sold."""
    row = stocked(9, product="bowl")
    sold, held = hold(row, 2), hold(row, 1, "session:b")
    services.confirm(reservation_id=sold.pk)
    brought(opened(hold(row, 3, "session:c")), "paid")
    run_audit()
    yield
    assert not {"order_by_time", "payment_due", "charge_unsettled", "refund_by_state"} & there()
    yield
    assert (audit_stock(), audit_money()) == ([], [])
    assert Order.objects.count() == 0
    assert set(Product.objects.values_list("gst_percent", flat=True)) == {18}
    assert [run.books for run in AuditRun.objects.all()] == ["stock"]
    by_status = Reservation.objects.filter(inventory=row).values_list("status", flat=True)
    assert sorted(by_status) == ["confirmed", "confirmed", "pending"]
    late = brought(opened(held), "paid")
    assert [(found.invariant, found.row) for found in audit_money()] == [
        ("P7", f"order {late.number}")
    ]
    done = refund(late.charges.get(), 100, state="done")
    waiting = opened(hold(row, 1, "session:d"), shipping=9_900)
    numbered = Order.objects.filter(pk=late.pk)
    numbered.update(invoice_number="AL26-27/000001", **SELLER)
    now = {"seller_name": "Another Name", "seller_gstin": "27ABCDE1234F1Z5"}
    for name, value in {**SELLER, **now}.items():
        setattr(settings, name.upper(), value)
    with before("checkout", "0012_refunds_are_done_and_units_return"):
        pass
    # Of the seller nothing is known but what the settings say then.
    assert numbered.values(*SELLER).get() == {**SELLER, **now}
    assert Order.objects.get(pk=waiting.pk).seller_gstin == ""
    # Its shipping was offered without tax.
    brought(waiting, "paid")
    assert (waiting.shipping_gst_percent, waiting.shipping_gst_paise) == (None, 0)
    assert Refund.objects.get().done_at == Refund.objects.get().created_at != done.done_at


def test_a_shop_in_use_migrates_back_and_forth_with_all_it_has(client, settings) -> None:
    """It audits clean, its indexes are made and undone over what is there, its holds and sales are
    kept, its products are found and keep their addresses, the outbox comes and goes, imports come
    through reading by workers, and low stock through the loss of its claims."""
    settings.STAFF_EMAILS = ["stock@example.org"]
    parts = [
        outbox.messages(),
        inventory.low_stock_and_its_claims(),
        orders_and_their_money(settings),
        indexes(client),
        inventory.imports(),
        reservations.holds_and_sales(),
        catalog.addresses(client),
    ]
    first = dict(key.split(".") for key in INDEXES)
    first |= [reservations.FIRST, catalog.FIRST, outbox.FIRST, inventory.FIRST]
    carry(parts, *first.items())


def test_a_version_without_told_events_has_them_all() -> None:
    outbox.events()


def test_places_and_offers_of_before_are_known_as_they_were() -> None:
    row = stocked(1)
    held = hold(row)
    entries = [joined(row, name) for name in ("first", "second", "third")]
    unconfirmed = joined(row, "fourth", confirmed=False)
    services.release(reservation_id=held.pk)
    serve(row.product_id)
    services.release(reservation_id=offer_of(entries[0]).pk)
    serve(row.product_id)
    with before("reservations", "0027_places_kept_from_a_room"):
        pass
    found = WaitingEntry.objects.in_bulk([entry.pk for entry in entries])
    places = [found[entry.pk] for entry in entries]
    assert [it.waiting_since for it in places] == [it.confirmed_at for it in places]
    # The first has declined; nobody gets a mail about what ended before.
    assert [it.followed_up for it in places] == [True, False, False]
    assert WaitingEntry.objects.get(pk=unconfirmed.pk).waiting_since is None
    assert audit_stock() == []

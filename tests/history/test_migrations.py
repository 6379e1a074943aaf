"""The indexes by which pages find what they show come and go with a filled database."""

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.db import connection

from checkout.models import Contact
from inventory.models import StockImport, StockImportRow
from reservations.models import StaffAction
from reservations.staff.verbs import release
from tests.migrations import before
from tests.shopping import holding, press
from tests.stock import stocked

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


def filled() -> list[int]:
    models = (Contact, StaffAction, LogEntry, StockImport, StockImportRow)
    return [model.objects.count() for model in models]


@pytest.mark.parametrize("migration", INDEXES)
def test_an_index_is_made_and_undone_over_what_is_there(client, migration) -> None:
    fill(client)
    with before(*migration.split(".")):
        assert there() & INDEXES[migration] == set()
        assert filled() == [1] * 5
    assert there() >= INDEXES[migration]
    assert filled() == [1] * 5

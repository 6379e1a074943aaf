"""Staff get a mail about low stock once for each time a row becomes low."""

from typing import Any

import pytest
from django.core import mail
from django.db.models.functions import Now

from inventory import low_stock, services
from inventory.models import Inventory, LowStock
from inventory.tasks import watch_low_stock
from tests import stock_room
from tests.reservations.test_verbs import hold
from tests.stock import all_at_once, stocked

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _somebody_to_tell(settings: Any) -> None:
    settings.STAFF_EMAILS = ["stock@example.org"]


def sell_to(row: Inventory, total: int) -> None:
    row.refresh_from_db()
    stock_room.write_off(inventory_id=row.pk, units=row.total_units - total, note="x")


def test_staff_are_mailed_once_for_each_crossing() -> None:
    row = stocked(3)
    watch_low_stock()
    assert mail.outbox == []
    sell_to(row, 2)
    for _ in range(3):
        watch_low_stock()
    [letter] = mail.outbox
    assert letter.subject == "Low stock: Tidal in blr-01"
    assert letter.body == "Tidal in blr-01: 2 left, 0 of them held (low from 2)\n"
    assert letter.to == ["stock@example.org"]
    sell_to(row, 1)
    watch_low_stock()
    assert len(mail.outbox) == 1, "lower still is no crossing"
    stock_room.receive(inventory_id=row.pk, units=9)
    watch_low_stock()
    sell_to(row, 0)
    watch_low_stock()
    assert len(mail.outbox) == 2


def test_a_hold_makes_no_row_low() -> None:
    hold(stocked(3), 3)
    assert low_stock.watch() == 0


def test_all_new_low_rows_are_in_one_mail_of_limited_length() -> None:
    for n in range(105):
        stocked(n % 3, product=f"vase-{n}")
    assert low_stock.watch() == 105
    [letter] = mail.outbox
    assert letter.subject == "Low stock: 105 rows"
    assert letter.body.count("\n") == 101
    assert letter.body.endswith("and 5 more\n")


def test_a_threshold_of_0_is_never_reached() -> None:
    row = stocked(0)
    services.set_threshold(thresholds={row.pk: 0})
    assert low_stock.watch() == 0


def test_without_recipients_the_mail_is_sent_once_there_are_some(settings) -> None:
    stocked(1)
    settings.STAFF_EMAILS = []
    assert low_stock.watch() == 0
    settings.STAFF_EMAILS = ["stock@example.org"]
    assert low_stock.watch() == 1


def test_a_mail_that_failed_is_sent_by_the_next_run(monkeypatch) -> None:
    stocked(1)
    with monkeypatch.context() as broken:
        broken.setattr(low_stock, "send_mail", lambda *args: 1 / 0)
        assert low_stock.watch() == 0
    assert low_stock.watch() == 1
    assert len(mail.outbox) == 1


def test_the_claim_of_a_dead_worker_expires() -> None:
    row = stocked(1)
    LowStock.objects.create(inventory=row, claim="0" * 32, claimed_at=Now())
    assert low_stock.watch() == 0
    LowStock.objects.update(claimed_at="2020-02-02T00:00Z")
    assert low_stock.watch() == 1


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_only_one_of_several_workers_sends() -> None:
    stocked(1)
    mailed = all_at_once(6, lambda _: low_stock.watch())
    assert sorted(mailed) == [0, 0, 0, 0, 0, 1]  # type: ignore[type-var]
    assert len(mail.outbox) == 1


def test_without_a_server_for_mail_it_goes_to_the_console(settings, capsys) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
    stocked(1)
    low_stock.watch()
    assert "Subject: Low stock: Tidal in blr-01" in capsys.readouterr().out

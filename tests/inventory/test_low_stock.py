"""Staff get a mail about low stock once for each time a row becomes low."""

from typing import Any

import pytest
from django.core import mail

from allo.outbox import letters, sending
from allo.outbox.models import Message
from inventory import low_stock, services
from inventory.models import Inventory, LowStock
from inventory.tasks import watch_low_stock
from tests import stock_room
from tests.outbox.letters import pass_time
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
        sending.send_due()
    [letter] = mail.outbox
    assert letter.subject == "Low stock: Tidal in blr-01"
    assert letter.body == "Tidal in blr-01: 2 left, 0 of them held (low from 2)\n"
    assert letter.to == ["stock@example.org"]
    assert LowStock.objects.get().notified_at
    sell_to(row, 1)
    watch_low_stock()
    sending.send_due()
    assert len(mail.outbox) == 1, "lower still is no crossing"
    stock_room.receive(inventory_id=row.pk, units=9)
    watch_low_stock()
    sell_to(row, 0)
    watch_low_stock()
    sending.send_due()
    assert len(mail.outbox) == 2


def test_a_hold_makes_no_row_low() -> None:
    hold(stocked(3), 3)
    assert low_stock.watch() == 0


def test_all_new_low_rows_are_in_one_mail_of_limited_length() -> None:
    for n in range(105):
        stocked(n % 3, product=f"vase-{n}")
    assert low_stock.watch() == 105
    sending.send_due()
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


def test_each_of_the_staff_gets_a_mail_of_their_own(settings) -> None:
    settings.STAFF_EMAILS = ["stock@example.org", "asha@example.org"]
    stocked(1)
    assert low_stock.watch() == 1
    assert sending.send_due() == 2
    assert [letter.to for letter in mail.outbox] == [["stock@example.org"], ["asha@example.org"]]


def test_a_mail_that_failed_is_sent_by_a_later_run(monkeypatch) -> None:
    stocked(1)
    assert low_stock.watch() == 1
    with monkeypatch.context() as broken:
        broken.setattr(letters, "letter", lambda *args: 1 / 0)
        assert sending.send_due() == 0
    pass_time(seconds=6)
    assert sending.send_due() == 1
    assert len(mail.outbox) == 1


def test_a_mail_that_cannot_be_written_is_written_by_the_next_run(monkeypatch) -> None:
    stocked(1)
    with monkeypatch.context() as broken:
        broken.setattr("allo.outbox.services.put", lambda **message: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            low_stock.watch()
    assert not LowStock.objects.exclude(notified_at=None).exists()
    assert low_stock.watch() == 1


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_only_one_of_several_workers_sends() -> None:
    stocked(1)
    mailed = all_at_once(6, lambda _: low_stock.watch())
    assert sorted(mailed) == [0, 0, 0, 0, 0, 1]  # type: ignore[type-var]
    assert Message.objects.count() == 1


def test_without_a_server_for_mail_it_goes_to_the_console(settings, capsys) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
    stocked(1)
    low_stock.watch()
    sending.send_due()
    assert "Subject: Low stock: Tidal in blr-01" in capsys.readouterr().out

"""Each event is written in the transaction of what happened, for those that want it."""

from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from allo.outbox.hooks import writing
from allo.outbox.models import Delivery, Event, Told, Webhook
from inventory import low_stock
from reservations import services
from reservations.clock.expiry import COMMIT_ON_DISK, expire_due
from reservations.engine import locks
from reservations.engine.books import Books
from reservations.engine.storage import open_books, write
from reservations.facts import facts
from reservations.models import Reservation
from reservations.waiting.services import serve
from tests.hooks.hearing import hears, last, told
from tests.reservations.test_database_refuses import refused_by
from tests.reservations.test_verbs import hold
from tests.stock import pass_time, stocked
from tests.waiting import joined

pytestmark = pytest.mark.django_db


def facts_now(held: Reservation) -> dict[str, object]:
    again = Reservation.objects.get(pk=held.pk)
    return facts(again, again.inventory.product.slug, again.inventory.warehouse.code)


def test_each_verb_is_told_with_the_reservation_as_it_left_it() -> None:
    hears()
    row = stocked(9)
    first = hold(row, 2)
    assert last("reservation.created") == facts_now(first)
    services.change(reservation_id=first.pk, quantity=3)
    assert last("reservation.changed") == facts_now(first)
    assert last("reservation.changed")["quantity"] == 3
    pass_time(60)
    services.renew(reservation_id=first.pk)
    assert last("reservation.renewed") == facts_now(first)
    services.confirm(reservation_id=first.pk)
    assert last("reservation.confirmed") == facts_now(first)
    second = hold(row, 1)
    services.release(reservation_id=second.pk)
    assert last("reservation.released") == facts_now(second)
    third = hold(row, 1)
    pass_time(3600)
    expire_due()
    assert last("reservation.expired") == facts_now(third)
    happened = "created changed renewed confirmed created released created expired"
    assert told() == [f"reservation.{what}" for what in happened.split()]
    subjects = Event.objects.order_by("pk").values_list("subject", flat=True)
    assert list(subjects) == [str(first.pk)] * 4 + [str(second.pk)] * 2 + [str(third.pk)] * 2
    assert Delivery.objects.count() == 8


def test_a_hold_that_a_shortage_expires_is_told_before_the_one_that_takes_its_place() -> None:
    hears()
    row = stocked(1)
    hold(row, 1, "session:a")
    pass_time(3600)
    hold(row, 1, "session:b")
    assert Told.objects.count() == 2, "one for each transaction"
    assert told() == ["reservation.created", "reservation.expired", "reservation.created"]


def test_commands_of_one_batch_are_told_each_as_it_left_the_reservation() -> None:
    hears()
    held = hold(stocked(9), 2)
    more = services.change._command(reservation_id=held.pk, quantity=5)
    end = services.release._command(reservation_id=held.pk)
    books: Books = open_books([more, end], locks.Patience.BRIEF)
    for command in (more, end):
        command.decide(books)
    write(books, commit=False)
    changed, released = last("reservation.changed"), last("reservation.released")
    assert (changed["status"], changed["quantity"], changed["ended_at"]) == ("pending", 5, None)
    assert (released["status"], released["quantity"]) == ("released", 5)


def test_what_nobody_wants_is_not_written_and_each_that_wants_it_gets_it() -> None:
    row = stocked(9)
    hold(row, 1, "session:a")
    assert not Told.objects.exists()
    one, both = hears("reservation.released"), hears("reservation.released", "stock.low")
    paused = hears("reservation.released", paused_at="2026-01-01T00:00Z", paused_why="x")
    hears("reservation.released", ended_at="2026-01-01T00:00Z")
    services.release(reservation_id=hold(row, 1, "session:b").pk)
    assert told() == ["reservation.released"]
    hearers = Delivery.objects.order_by("pk").values_list("webhook", flat=True)
    assert list(hearers) == [one.pk, both.pk, paused.pk]


def test_what_is_rolled_back_is_not_told() -> None:
    hears()
    row = stocked(3)
    with transaction.atomic():
        hold(row, 1)
        assert told() == ["reservation.created"]
        transaction.set_rollback(True)
    assert told() == []


def test_a_sweep_of_many_tells_each_end() -> None:
    hears("reservation.expired")
    row = stocked(250)
    for n in range(3):
        hold(row, 1, f"session:{n}")
    like = Reservation.objects.get(holder="session:0")
    Reservation.objects.bulk_create(
        Reservation(
            inventory=row, quantity=1, unit_paise=1, name="Tidal", holder=f"session:m{n}",
            created_at=like.created_at, expires_at=like.expires_at + timedelta(microseconds=n),
        )
        for n in range(120)
    )  # fmt: skip
    row.reserved_units = 123
    row.save(update_fields=["reserved_units"])
    pass_time(3600)
    with CaptureQueriesContext(connection) as queries:
        assert expire_due().expired == 123
    # What is posted cannot be undone by a crash.
    commits = [q["sql"] for q in queries if "synchronous_commit" in q["sql"]]
    assert commits == ["SET LOCAL synchronous_commit = off", COMMIT_ON_DISK] * 2
    ended = Reservation.objects.filter(status="expired").values_list("pk", flat=True)
    assert len(told()) == 123
    subjects = list(Event.objects.values_list("subject", flat=True))
    assert sorted(subjects) == sorted(map(str, ended))
    assert len(set(subjects)) == 123


def test_an_offer_is_told_without_who_gets_it() -> None:
    hears()
    row = stocked(1)
    held = hold(row, 1)
    joined(row)
    services.release(reservation_id=held.pk)
    assert serve(row.product_id) == 1
    offer = Reservation.objects.get(holder__startswith="list:")
    assert told()[-2:] == ["reservation.created", "offer.made"]
    assert last("offer.made") == facts_now(offer)


def test_low_stock_is_told_once_for_each_crossing() -> None:
    hears("stock.low")
    row = stocked(2)
    for _ in range(3):
        low_stock.watch()
    assert told() == ["stock.low"]
    assert last("stock.low") == {
        "product": "tidal", "name": "Tidal", "warehouse": "blr-01", "total_units": 2,
        "reserved_units": 0, "available": 2, "low_from": row.low_stock_threshold,
    }  # fmt: skip


@pytest.mark.django_db(transaction=True)
def test_an_event_needs_the_transaction_that_it_is_of() -> None:
    with pytest.raises(transaction.TransactionManagementError):
        writing.write("", [])


def test_the_database_keeps_events_and_webhooks_as_they_are() -> None:
    webhook = hears()
    hold(stocked(3), 1)
    assert told() == ["reservation.created"]
    Delivery.objects.update(delivered_at="2026-01-01T00:00Z")
    for name, refused in {
        "event_stays_as_written": lambda: Event.objects.update(kind="other"),
        "delivered_is_delivered": lambda: Delivery.objects.update(delivered_at=None),
        "webhook_is_kept": lambda: Webhook.objects.filter(pk=webhook.pk).delete(),
        "webhook_has_an_address": lambda: Webhook.objects.update(url="ftp://x.example"),
        "webhook_hears_something": lambda: Webhook.objects.update(kinds=[]),
        "failing_since_the_first_failure": lambda: Webhook.objects.update(failures=1),
    }.items():
        with refused_by(name), transaction.atomic():
            refused()

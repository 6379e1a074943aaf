"""The sweep: everything that is due, in batches, without the rows that others lock, recorded."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import Error, connection, transaction
from django.utils import timezone

from allo.live.events import Event
from allo.postgresql.faults import sqlstate_of
from inventory.events import StockChanged
from inventory.models import Inventory
from reservations.clock.audit import audit_stock
from reservations.clock.expiry import EXPIRE_DUE, expire_due
from reservations.clock.tasks import expire_due as task
from reservations.clock.tasks import prune
from reservations.engine import locks
from reservations.engine.books import Books
from reservations.engine.events import Happened, ReservationEvent
from reservations.engine.stock import Shortage, Stock
from reservations.engine.storage import free_due
from reservations.models import IdempotencyKey, Reservation, Sweep
from tests.reservations.test_verbs import hold
from tests.running import wait_for
from tests.server import cancel_whoever_waits, somebody_waits
from tests.stock import all_at_once, pass_time, stocked, units

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_sweep_expires_what_is_due_and_nothing_else() -> None:
    row = stocked(9)
    due, live = hold(row, 2, "session:a"), hold(row, 3, "session:b")
    pass_time(700, pk=due.pk)
    run = expire_due()
    assert run.expired == 1
    assert 99 < run.max_lateness_seconds < 130
    assert units(row) == (9, 3)
    due.refresh_from_db()
    assert (due.status, due.ended_at is not None) == ("expired", True)
    live.refresh_from_db()
    assert live.status == "pending"
    assert Sweep.objects.get() == run


def test_a_run_records_its_time_and_the_longest_delay_of_all_its_batches() -> None:
    row = stocked(9)
    for n, seconds in enumerate((660, 900, 780)):
        pass_time(seconds, pk=hold(row, 1, f"session:{n}").pk)
    run = expire_due(batch=2)
    assert 299 < run.max_lateness_seconds < 330
    assert run.started_at < run.finished_at


def test_the_sweep_yields_the_same_events_as_the_verbs(monkeypatch) -> None:
    row = stocked(9)
    holds = [hold(row, 2, f"session:{n}") for n in range(3)]
    pass_time(601, pk__in=[held.pk for held in holds[:2]])
    published: list[Event] = []
    monkeypatch.setattr("inventory.events.publish_events", published.extend)
    expire_due()
    (stock,) = (event for event in published if isinstance(event, StockChanged))
    assert (stock.row, stock.product, stock.total, stock.reserved) == (row.pk, row.product_id, 9, 2)
    ended = {event.holder: event for event in published if isinstance(event, ReservationEvent)}
    assert ended == {
        held.holder: ReservationEvent(Happened.EXPIRED, held.pk, held.holder, stock.at)
        for held in holds[:2]
    }


def test_a_sweep_with_nothing_to_do_is_on_the_record_too() -> None:
    task()
    assert Sweep.objects.get().expired == 0


def test_its_statement_has_no_volatile_function() -> None:
    """Citus would refuse it."""
    called = re.findall(r"(\w+)\(", EXPIRE_DUE)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT proname, provolatile FROM pg_proc WHERE proname = ANY(%s)", [called]
        )
        kinds = dict(cursor.fetchall())
    assert "statement_timestamp" in kinds
    assert "v" not in kinds.values(), kinds


def test_batches_end_only_when_nothing_is_due() -> None:
    rows = [stocked(9, warehouse=f"w-{n}") for n in range(3)]
    for row in rows:
        for n in range(5):
            hold(row, 1, f"session:{row.pk}-{n}")
    pass_time(601)
    assert expire_due(batch=4).expired == 15
    assert not Reservation.objects.pending().exists()
    assert audit_stock() == []


def test_a_locked_row_is_skipped_and_swept_next_time() -> None:
    held, free = stocked(5, warehouse="w-1"), stocked(5, warehouse="w-2")
    hold(held, 1, "session:a")
    hold(free, 1, "session:b")
    pass_time(601)
    with transaction.atomic():
        Inventory.objects.select_for_update().get(pk=held.pk)
        (run,) = all_at_once(1, lambda _: expire_due(batch=1))
    assert isinstance(run, Sweep)
    assert run.expired == 1
    assert units(held) == (5, 1)
    assert units(free) == (5, 0)
    assert expire_due().expired == 1


def sweep_with_a_wait_of_its_own(_caller: int) -> Sweep:
    """The sweep waits by its own limit, not by the connection's."""
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '1ms'")
    return expire_due()


def test_a_row_that_is_let_go_while_the_sweep_waits_is_swept_too(monkeypatch) -> None:
    monkeypatch.setattr(locks, "BRIEFLY_MS", 20_000)
    row = stocked(5)
    hold(row, 2, "session:a")
    pass_time(601)
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            Inventory.objects.select_for_update().get(pk=row.pk)
            sweep = pool.submit(all_at_once, 1, sweep_with_a_wait_of_its_own)
            wait_for(somebody_waits)
            assert units(row) == (5, 2)
        (run,) = sweep.result()
    assert isinstance(run, Sweep)
    assert run.expired == 1
    assert units(row) == (5, 0)


CHANGES: dict[str, dict[str, Any]] = {
    "pending": {"expires_at": timezone.now() + timedelta(days=1)},
    "released": {"status": "released", "ended_at": timezone.now()},
}


@pytest.mark.parametrize("status", CHANGES)
def test_what_is_no_longer_due_when_the_sweep_has_waited_is_left_alone(monkeypatch, status) -> None:
    monkeypatch.setattr(locks, "BRIEFLY_MS", 20_000)
    row = stocked(5)
    held = hold(row, 2, "session:a")
    pass_time(601)
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            Inventory.objects.select_for_update().get(pk=row.pk)
            sweep = pool.submit(all_at_once, 1, lambda _: expire_due())
            wait_for(somebody_waits)
            Reservation.objects.update(**CHANGES[status])
        (run,) = sweep.result()
    assert isinstance(run, Sweep)
    assert run.expired == 0
    held.refresh_from_db()
    assert held.status == status


def test_a_sweep_that_fails_while_it_waits_says_so(monkeypatch) -> None:
    """Only a row that stays locked is left to the next sweep without an error."""
    monkeypatch.setattr(locks, "BRIEFLY_MS", 20_000)
    row = stocked(5)
    hold(row, 2, "session:a")
    pass_time(601)
    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        Inventory.objects.select_for_update().get(pk=row.pk)
        sweep = pool.submit(all_at_once, 1, lambda _: expire_due())
        wait_for(somebody_waits)
        cancel_whoever_waits()
        (error,) = sweep.result()
    assert isinstance(error, Error)
    assert sqlstate_of(error) == "57014"
    assert not Sweep.objects.exists()


def test_answers_older_than_a_day_and_sweeps_older_than_a_week_are_forgotten() -> None:
    now = timezone.now()
    line = {"client": "c", "endpoint": "e", "request_hash": b"", "status": 409, "body": ""}
    for hours in (23, 25):
        IdempotencyKey.objects.create(**line, key=hours, created_at=now - timedelta(hours=hours))
        Sweep.objects.create(
            started_at=now, finished_at=now - timedelta(hours=7 * hours), expired=0
        )
    prune()
    assert IdempotencyKey.objects.get().key == "23"
    assert Sweep.objects.count() == 1


def test_a_row_without_dead_holds_is_searched_once_in_a_transaction(
    django_assert_num_queries,
) -> None:
    """However many callers it refuses."""
    row = stocked(0)
    books = Books(timezone.now(), [Stock(row.pk, row.product_id, 0, 0, 0)])
    with django_assert_num_queries(1):
        for _ in range(3):
            free_due(books, Shortage([books.stock(row.pk)], 1))

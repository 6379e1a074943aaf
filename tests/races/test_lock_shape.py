"""The SQL of the locks, and the isolation level they need, pinned."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import Func
from django.test.utils import CaptureQueriesContext

from inventory.models import Inventory
from reservations import services
from reservations.engine import locks as engine_locks
from reservations.engine.commands import Holder, Reserve
from reservations.engine.locks import Patience, Space, number
from reservations.engine.transactions import _transact
from reservations.exceptions import Busy, InsufficientStock, ReservationExpired
from reservations.models import Reservation
from tests.reservations.test_verbs import hold
from tests.running import wait_for
from tests.server import somebody_waits
from tests.stock import all_at_once, stocked, without_the_lock

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]


def test_a_batch_locks_once_in_pk_order_and_writes_once() -> None:
    rows = sorted(stocked(9, warehouse=f"w-{n}").pk for n in range(3))
    commands = [
        Reserve(rows=(row,), quantity=1, holder=Holder(f"session:{row}-{n}", f"10.0.0.{n}/32"))
        for n in range(5)
        for row in reversed(rows)
    ]
    with CaptureQueriesContext(
        connection,
    ) as queries:
        _transact(commands, Patience.NONE)
    statements = [query["sql"] for query in queries if query["sql"] not in ("BEGIN", "COMMIT")]
    _, lock, advisory, prices, *_, now, write = statements
    assert lock.endswith("ORDER BY 1 ASC FOR NO KEY UPDATE SKIP LOCKED")
    assert 'FROM "inventory_inventory"' in lock
    assert "pg_advisory_xact_lock" in advisory
    assert "price_paise" in prices, "read when the rows are locked, or it might be old"
    assert now.strip().startswith("SELECT clock_timestamp()"), "read after every lock"
    assert write.strip().startswith("WITH step_0")


def test_a_change_locks_the_inventory_row_before_the_reservation() -> None:
    reservation = hold(stocked(5))
    with CaptureQueriesContext(connection) as queries:
        services.confirm(reservation_id=reservation.pk)
    locked = [
        query["sql"].split(' FROM "')[1].split('"')[0]
        for query in queries
        if "FOR NO KEY UPDATE" in query["sql"]
    ]
    assert locked == ["inventory_inventory", "reservations_reservation"]


def test_transactions_are_read_committed() -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SHOW transaction_isolation")
        assert cursor.fetchone() == ("read committed",)


def test_waits_are_bounded() -> None:
    with connection.cursor() as cursor:
        for name, value in (("lock_timeout", "2s"), ("statement_timeout", "15s")):
            cursor.execute(f"SHOW {name}")
            assert cursor.fetchone() == (value,)


def test_a_locked_row_is_busy_and_its_neighbours_are_not(settings) -> None:
    settings.LOCK_TIMEOUT_MS = 300
    stuck, free = stocked(5, product="stuck"), stocked(500, product="free")
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT 1 FROM inventory_inventory WHERE id = %s FOR UPDATE", [stuck.pk])
        try:
            got = all_at_once(
                20,
                lambda n: services.reserve(
                    product_id=(stuck if n % 2 else free).product_id,
                    quantity=1,
                    holder=Holder(f"session:{n}"),
                ),
            )
            still_stuck = Inventory.objects.get(pk=stuck.pk)
        finally:
            cursor.execute("ROLLBACK")
    assert [type(outcome) for outcome in got] == [Reservation, Busy] * 10
    assert still_stuck.reserved_units == 0


@pytest.mark.parametrize(("isolation", "oversold"), [("READ COMMITTED", 0), ("REPEATABLE READ", 1)])
def test_under_repeatable_read_a_caller_that_waited_reads_stale_stock(isolation, oversold) -> None:
    """A snapshot taken before the wait shows the unit that is gone: why the level is pinned.

    REPEATABLE READ refuses to update a row that changed meanwhile, so the read is what is
    compared: a transaction that has a snapshot, then waits at an unrelated lock, then looks.
    """
    row = stocked(1)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(f"SET TRANSACTION ISOLATION LEVEL {isolation}")
            cursor.execute("SELECT 1")
            list(Reservation.objects.all())
        (taken,) = all_at_once(
            1,
            lambda _: services.reserve(
                product_id=row.product_id, quantity=1, holder=Holder("user:1")
            ),
        )
        assert isinstance(taken, Reservation)
        available = Inventory.objects.with_available().get(pk=row.pk).available
    assert available == oversold


def test_time_that_passes_while_a_lock_is_waited_for_counts(monkeypatch) -> None:
    """The clock is read after every lock is taken: what ended meanwhile is not sold."""
    monkeypatch.setattr(engine_locks, "BRIEFLY_MS", 20_000)
    row = stocked(1)
    held = hold(row)
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            Inventory.objects.select_for_update().get(pk=row.pk)
            late = pool.submit(all_at_once, 1, lambda _: services.confirm(reservation_id=held.pk))
            wait_for(somebody_waits)
            Reservation.objects.update(expires_at=Func(function="clock_timestamp"))
        (refused,) = late.result()
    assert isinstance(refused, ReservationExpired)


def test_each_name_in_each_space_has_a_number_of_its_own() -> None:
    names = [("a", "b"), ("a", "c"), ("c", "b"), ("ab",), ("", "ab")]
    numbers = {number(space, *name) for space in Space for name in names}
    assert len(numbers) == len(Space) * len(names)


def outcome_of_a_late_caller(monkeypatch: pytest.MonkeyPatch) -> object:
    """It comes while the only unit is being held, and waits until that is committed."""
    monkeypatch.setattr(engine_locks, "BRIEFLY_MS", 20_000)
    row = stocked(1)
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            hold(row, 1, "session:first")
            late = pool.submit(all_at_once, 1, lambda _: hold(row, 1, "session:late"))
            wait_for(somebody_waits)
        (outcome,) = late.result()
    return outcome


def test_a_late_caller_reads_what_was_committed_while_it_waited(monkeypatch) -> None:
    refused = outcome_of_a_late_caller(monkeypatch)
    assert isinstance(refused, InsufficientStock)
    assert refused.available == 0


def test_without_the_lock_a_late_caller_reads_too_early_and_the_database_refuses(
    monkeypatch,
) -> None:
    """The control of the test above: both wait, but this one has decided before."""
    without_the_lock(monkeypatch)
    assert isinstance(outcome_of_a_late_caller(monkeypatch), IntegrityError)

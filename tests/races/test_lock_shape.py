"""The SQL of the locks, and the isolation level they need, pinned."""

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from inventory.models import Inventory
from reservations import services
from reservations.engine.commands import Holder, Reserve
from reservations.engine.locks import Patience
from reservations.engine.transactions import _transact
from reservations.exceptions import InsufficientStock
from reservations.models import Reservation
from tests.reservations.test_verbs import hold
from tests.stock import all_at_once, stocked

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
    lock, advisory, prices, _, now, write = statements
    assert lock.endswith("ORDER BY 1 ASC FOR NO KEY UPDATE SKIP LOCKED")
    assert 'FROM "inventory_inventory"' in lock
    assert "pg_advisory_xact_lock" in advisory
    assert "price_paise" in prices, "read when the rows are locked, or it might be old"
    assert now.strip().startswith("SELECT clock_timestamp()"), "the time, when all locks are had"
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
        for name, value in (
            ("lock_timeout", "2s"),
            ("statement_timeout", "15s"),
            ("idle_in_transaction_session_timeout", "10s"),
        ):
            cursor.execute(f"SHOW {name}")
            assert cursor.fetchone() == (value,)


@pytest.mark.parametrize(("isolation", "oversold"), [("READ COMMITTED", 0), ("REPEATABLE READ", 1)])
def test_under_repeatable_read_who_waited_reads_stale_stock(isolation, oversold) -> None:
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


def test_who_comes_late_reads_what_was_committed_while_it_waited() -> None:
    row = stocked(1)
    hold(row, 1, "session:first")
    with pytest.raises(InsufficientStock):
        hold(row, 1, "session:second")

"""N requests for the last units: exactly as many succeed, and what refuses when a lock is gone."""

from collections import Counter
from threading import Barrier

import pytest
from django.db import IntegrityError, connection

from inventory.models import Inventory
from reservations import services
from reservations.clock.audit import audit_stock
from reservations.engine import storage
from reservations.engine import transactions as engine
from reservations.engine.books import Books
from reservations.engine.commands import Command, Holder, Reserve
from reservations.engine.locks import Patience
from reservations.exceptions import InsufficientStock
from reservations.models import Reservation
from tests.running import PATIENCE, wait_for
from tests.stock import all_at_once, stocked, without_the_lock

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.race,
    pytest.mark.usefixtures("unhurried"),
]


def rush(row: Inventory, callers: int) -> Counter[str]:
    got = all_at_once(
        callers,
        lambda n: services.reserve(
            product_id=row.product_id, quantity=1, holder=Holder(f"session:{row.pk}-{n}")
        ),
    )
    return Counter(type(outcome).__name__ for outcome in got)


def each_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many processes would: nobody shares a transaction."""
    monkeypatch.setattr(engine._combiner, "submit", submit_alone)


def submit_alone(command: Command) -> object:
    outcome = engine._alone(command)
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def write_together(monkeypatch: pytest.MonkeyPatch, callers: int) -> None:
    """Each has read before any has written."""
    together = Barrier(callers)

    def write(books: Books, *, commit: bool) -> None:
        together.wait(PATIENCE)
        storage.write(books, commit=commit)

    monkeypatch.setattr(engine, "write", write)


@pytest.mark.parametrize("combined", [True, False])
def test_ten_connections_and_one_unit(monkeypatch, combined) -> None:
    if not combined:
        each_alone(monkeypatch)
    row = stocked(1)
    assert rush(row, 10) == {"Reservation": 1, "InsufficientStock": 9}
    assert audit_stock() == []


def test_without_the_lock_the_database_refuses_what_is_not_there(monkeypatch) -> None:
    each_alone(monkeypatch)
    without_the_lock(monkeypatch)
    write_together(monkeypatch, 10)
    assert rush(stocked(1), 10) == {"Reservation": 1, "IntegrityError": 9}
    assert audit_stock() == []


def test_without_lock_and_constraint_it_oversells(monkeypatch) -> None:
    """The control of the tests above: they are able to fail."""
    each_alone(monkeypatch)
    without_the_lock(monkeypatch)
    write_together(monkeypatch, 10)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE inventory_inventory DROP CONSTRAINT reserved_lte_total")
    try:
        assert rush(stocked(1), 10) == {"Reservation": 10}
    finally:
        with connection.cursor() as cursor:
            cursor.execute("UPDATE inventory_inventory SET reserved_units = 0")
            cursor.execute(
                "ALTER TABLE inventory_inventory ADD CONSTRAINT reserved_lte_total "
                "CHECK (reserved_units <= total_units)"
            )


def test_200_callers_for_10_units_ten_times() -> None:
    rows = [stocked(10, product=f"p-{n}") for n in range(10)]
    together = Barrier(200)

    def ten_times(n: int) -> list[str]:
        return [one(row, n) for row in rows]

    def one(row: Inventory, n: int) -> str:
        together.wait(PATIENCE)
        try:
            # Another holder each time: one that wins too often would reach its own limit.
            holder = Holder(f"session:{n}-{row.pk}")
            services.reserve(product_id=row.product_id, quantity=1, holder=holder)
        except InsufficientStock:
            return "refused"
        return "held"

    rounds = zip(*all_at_once(200, ten_times), strict=True)
    assert [Counter(outcomes) for outcomes in rounds] == [{"held": 10, "refused": 190}] * 10
    assert [row.reserved_units for row in Inventory.objects.all()] == [10] * 10
    assert audit_stock() == []


def test_callers_that_arrive_during_a_transaction_share_the_next(monkeypatch) -> None:
    """The speed: ten callers make two transactions, not ten."""
    sizes: list[int] = []
    transact, waiting = engine._transact, engine._combiner._main

    def counted(commands: list[Command], patience: Patience) -> list[engine.Served]:
        sizes.append(len(commands))
        if len(sizes) == 1:
            wait_for(lambda: len(waiting.waiting) == 9, every=0.001)
        return transact(commands, patience)

    monkeypatch.setattr(engine, "_transact", counted)
    assert rush(stocked(50), 10) == {"Reservation": 10}
    assert sizes == [1, 9]


def test_the_same_holder_ten_times_at_once_has_one_hold_of_a_row() -> None:
    row = stocked(50)
    got = all_at_once(
        10,
        lambda _: services.reserve(product_id=row.product_id, quantity=1, holder=Holder("user:1")),
    )
    assert len({outcome.pk for outcome in got if isinstance(outcome, Reservation)}) == 1
    row.refresh_from_db()
    assert row.reserved_units == 1


@pytest.mark.parametrize("combined", [True, False])
def test_limits_hold_under_parallel_requests(monkeypatch, settings, combined) -> None:
    if not combined:
        each_alone(monkeypatch)
    settings.RESERVATION_MAX_LIVE = 3
    settings.RESERVATION_MAX_UNITS_PER_ADDRESS = 4
    rows = [stocked(50, product=f"p-{n}") for n in range(10)]

    def one_holder(n: int) -> object:
        return services.reserve(product_id=rows[n].product_id, quantity=1, holder=Holder("user:1"))

    def one_address(n: int) -> object:
        return services.reserve(
            product_id=rows[n].product_id, quantity=1, holder=Holder(f"session:{n}", "10.0.0.1/32")
        )

    for call, limit in ((one_holder, 3), (one_address, 4)):
        names = Counter(type(outcome).__name__ for outcome in all_at_once(10, call))
        assert names == {"Reservation": limit, "LimitReached": 10 - limit}
    assert audit_stock() == []


def test_without_the_holders_lock_the_limit_is_passed(monkeypatch, settings) -> None:
    """The control: what the advisory lock is for."""
    each_alone(monkeypatch)
    monkeypatch.setattr(
        "reservations.engine.locks.ADVISORY",
        "SELECT true FROM unnest(%s::bigint[], %s::bool[])",
    )
    write_together(monkeypatch, 10)
    settings.RESERVATION_MAX_LIVE = 3
    rows = [stocked(50, product=f"p-{n}") for n in range(10)]
    got = all_at_once(
        10,
        lambda n: services.reserve(
            product_id=rows[n].product_id, quantity=1, holder=Holder("user:1")
        ),
    )
    assert [type(outcome) for outcome in got] == [Reservation] * 10


def test_batches_in_opposite_order_do_not_deadlock(monkeypatch) -> None:
    each_alone(monkeypatch)
    rows = [stocked(500, warehouse=f"w-{n}").pk for n in range(6)]

    def both_ways(n: int) -> set[str]:
        ordered = rows if n % 2 else rows[::-1]
        commands = [
            Reserve(rows=(row,), quantity=1, holder=Holder(f"session:{n}-{row}-{i}"))
            for i in range(10)
            for row in ordered
        ]
        return {type(outcome).__name__ for outcome in engine._transact(commands, Patience.FULL)}

    assert all_at_once(8, both_ways) == [{"Reservation"}] * 8
    assert audit_stock() == []


def test_one_broken_command_fails_alone() -> None:
    row = stocked(50)
    broken = Reserve(rows=(row.pk,), quantity=-1, holder=Holder("session:broken"))
    sound = [Reserve(rows=(row.pk,), quantity=1, holder=Holder(f"session:{n}")) for n in range(3)]
    outcomes = engine._run([sound[0], broken, *sound[1:]], None)
    assert [type(outcome) for outcome in outcomes] == [
        Reservation,
        IntegrityError,
        Reservation,
        Reservation,
    ]
    assert audit_stock() == []

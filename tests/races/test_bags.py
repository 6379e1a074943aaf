"""Commands on several reservations, and on an order, among those who want one row alone."""

import threading
import time
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing

import pytest
from django.db import Error, IntegrityError, connection, transaction

from allo.postgresql.faults import DEADLOCK, sqlstate_of
from inventory.locks import locking
from reservations.clock.audit import audit_stock
from reservations.engine import locks as engine_locks
from reservations.engine import stuck
from reservations.engine import transactions as engine
from reservations.engine.combining import Later
from reservations.engine.commands import Command, Holder, Reserve
from reservations.engine.idempotency import Bag
from reservations.engine.locks import Patience
from reservations.engine.transactions import _transact, perform, perform_bag
from reservations.exceptions import Busy
from reservations.models import Reservation
from tests.bags import ORDERS, charges, holds_of, order_tables, orders, pay, sell, states
from tests.running import wait_for
from tests.server import how_many_wait
from tests.stock import all_at_once

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]

HOT_ORDER = ("orders", 1)


@pytest.fixture(autouse=True)
def tables():
    with order_tables():
        yield


def freeze_order(number: int = 1) -> None:
    with connection.cursor() as cursor:
        cursor.execute(ORDERS, [[number]])


def on_its_own(call: Callable[[], object]) -> object:
    """In a thread, with a connection of its own that is closed."""
    with closing(connection):
        try:
            return call()
        except Exception as error:
            return error


# --- in any order -------------------------------------------------------------------------------


def meet(monkeypatch: pytest.MonkeyPatch, *, in_order: bool) -> list[object]:
    """Two bags of the same five rows, listed in opposite orders. Each locks what it can, while the
    row in the middle is locked; then that is let go."""
    monkeypatch.setattr(engine_locks, "BRIEFLY_MS", 20_000)
    holds = holds_of(5)
    rows = engine_locks._rows

    def turned(*arguments: object) -> str:
        lock = rows(*arguments)
        second = threading.current_thread().name.startswith("second")
        return lock.replace("ORDER BY 1 ASC", "ORDER BY 1 DESC") if second else lock

    if not in_order:
        monkeypatch.setattr(engine_locks, "_rows", turned)
    first_pool, second_pool = (ThreadPoolExecutor(1, name) for name in ("first", "second"))
    with first_pool, second_pool, transaction.atomic():
        list(locking([holds[2].inventory_id]))
        first = first_pool.submit(on_its_own, lambda: brief(sell(holds)))
        wait_for(lambda: how_many_wait() == 1, every=0.01)
        second = second_pool.submit(on_its_own, lambda: brief(sell(holds[::-1])))
        wait_for(lambda: how_many_wait() == 2, every=0.01)
    return [first.result(), second.result()]


def brief(command: Command) -> object:
    (outcome,) = _transact([command], Patience.BRIEF)
    return outcome


def test_bags_in_any_order_never_deadlock(monkeypatch) -> None:
    one, other = meet(monkeypatch, in_order=True)
    assert isinstance(one, Bag)
    assert isinstance(other, Bag)
    assert one.holds == other.holds[::-1], "the second finds the order placed, and its holds sold"
    assert charges() == [(1, 1)]
    assert audit_stock() == []


def test_bags_whose_rows_are_locked_in_opposite_orders_deadlock(monkeypatch) -> None:
    """The control of the test above."""
    outcomes = meet(monkeypatch, in_order=False)
    errors = [outcome for outcome in outcomes if isinstance(outcome, Error)]
    assert [sqlstate_of(error) for error in errors] == [DEADLOCK]


def test_many_bags_of_the_same_rows_and_orders_are_all_served(monkeypatch) -> None:
    monkeypatch.setattr(engine._combiner, "submit", engine._alone)
    monkeypatch.setattr(engine_locks, "BRIEFLY_MS", 20_000)
    bags = [holds_of(3, f"session:{n}") for n in range(3)]
    everything = [held for bag in bags for held in bag]

    def both_ways(caller: int) -> set[str]:
        around = bags if caller % 2 else bags[::-1]
        batch: list[Command] = [sell(bag, 1 + bags.index(bag)) for bag in around]
        batch += [pay(everything[:: 1 if caller % 2 else -1])]
        return {type(outcome).__name__ for outcome in _transact(batch, Patience.BRIEF)}

    assert all_at_once(6, both_ways) == [{"Bag", "NotPending"}] * 6
    assert orders() == dict.fromkeys((1, 2, 3), "placed")
    assert audit_stock() == []


def test_sixteen_who_settle_one_order_hear_one_decision(caplog) -> None:
    holds = holds_of(3)
    outcomes = all_at_once(16, lambda _: perform_bag(sell(holds)))
    assert {type(outcome) for outcome in outcomes} == {Bag}
    assert states(holds) == ["confirmed"] * 3
    assert charges() == [(1, 1)]
    assert caplog.messages == [], "no error of the database, and nothing retried one by one"
    assert audit_stock() == []


# --- a frozen order -----------------------------------------------------------------------------


def hot(held: Reservation, shopper: int) -> Reserve:
    """Of somebody who has waited so long already that only the brief wait is left."""
    who = Holder(f"session:hot-{shopper}")
    rows = (held.inventory_id,)
    return Reserve(rows=rows, quantity=1, holder=who, since=time.monotonic() - 60)


def while_an_order_is_frozen(holds: list[Reservation]) -> tuple[Sequence[object], Future[object]]:
    """What three shoppers of the hot row got, while a sale of that row waited for its order."""
    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        freeze_order()
        sale = pool.submit(on_its_own, lambda: perform_bag(sell(holds)))
        wait_for(lambda: HOT_ORDER in engine._combiner._lanes and how_many_wait() == 1)
        got = all_at_once(3, lambda n: perform(hot(holds[0], n)))
        assert not sale.done()
    return got, sale


def test_frozen_order_row_spares_hot_row(settings) -> None:
    settings.LOCK_TIMEOUT_MS = 20_000
    holds = holds_of(2)
    got, sale = while_an_order_is_frozen(holds)
    assert [type(outcome) for outcome in got] == [Reservation] * 3
    assert isinstance(sale.result(), Bag)
    assert states(holds) == ["confirmed"] * 2
    assert audit_stock() == []


def test_a_wait_for_an_order_with_the_row_locked_stops_all_others_of_that_row(
    settings, monkeypatch
) -> None:
    """The control of the test above."""
    settings.LOCK_TIMEOUT_MS = 20_000
    monkeypatch.setattr(engine, "_after_above", engine._patiently)
    got, sale = while_an_order_is_frozen(holds_of(2))
    assert [type(outcome) for outcome in got] == [Busy] * 3
    assert isinstance(sale.result(), Bag)


def test_an_order_that_stays_frozen_is_busy_and_costs_its_row_nothing(settings) -> None:
    settings.LOCK_TIMEOUT_MS = 300
    holds = holds_of(2)
    with transaction.atomic():
        freeze_order()
        (refused,) = all_at_once(1, lambda _: perform_bag(sell(holds)))
        assert isinstance(refused, Busy)
    assert HOT_ORDER in stuck._stuck
    assert [row for row in stuck._stuck if row in [h.inventory_id for h in holds]] == []
    assert perform_bag(sell(holds)).holds[0].status == "confirmed"


def in_a_thread(commands: list[Command], key: Hashable) -> list[object]:
    (outcomes,) = all_at_once(1, lambda _: engine._run(commands, key))
    assert not isinstance(outcomes, Exception)
    return list(outcomes)


def while_a_row_is_frozen(settings) -> tuple[Sequence[object], object]:
    """What three shoppers of a free row got, while one who takes any row waited for a locked one;
    and what that one got."""
    settings.LOCK_TIMEOUT_MS = 20_000
    free, locked = holds_of(2)
    rows = (free.inventory_id, locked.inventory_id)
    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        list(locking(rows[1:]))
        wanted = Reserve(rows=rows, quantity=1, holder=Holder("session:any"))
        choosing = pool.submit(on_its_own, lambda: perform(wanted))
        wait_for(lambda: rows[1] in engine._combiner._lanes and how_many_wait() == 1)
        got = all_at_once(3, lambda n: perform(hot(free, n)))
        assert not choosing.done()
    return got, choosing.result()


def test_a_command_for_any_row_keeps_none_while_another_is_locked(settings) -> None:
    got, choice = while_a_row_is_frozen(settings)
    assert [type(outcome) for outcome in got] == [Reservation] * 3
    assert isinstance(choice, Reservation)


def test_a_wait_with_a_row_locked_stops_all_of_that_row(settings, monkeypatch) -> None:
    """The control of the test above."""
    monkeypatch.setattr(engine, "_after_row", lambda _, commands: engine._patiently(commands))
    got, choice = while_a_row_is_frozen(settings)
    assert [type(outcome) for outcome in got] == [Busy] * 3
    assert isinstance(choice, Reservation)


def test_in_a_batch_only_the_command_whose_order_is_locked_has_to_wait() -> None:
    one, two = holds_of(2, "session:a"), holds_of(2, "session:b")
    with transaction.atomic():
        freeze_order()
        outcomes = in_a_thread([sell(one, 1), sell(two, 2), hot(one[0], 1)], None)
    assert outcomes[0] == Later(HOT_ORDER)
    assert [type(outcome) for outcome in outcomes[1:]] == [Bag, Reservation]


def test_a_bag_waits_for_the_first_of_its_rows_that_is_locked() -> None:
    holds = holds_of(3)
    with transaction.atomic():
        list(locking([holds[1].inventory_id]))
        outcomes = in_a_thread([pay(holds)], None)
    assert outcomes == [Later(holds[1].inventory_id)]


def test_a_bag_with_a_locked_hold_waits_for_its_first_row() -> None:
    holds = holds_of(3)
    with transaction.atomic():
        list(Reservation.objects.filter(pk=holds[1].pk).select_for_update())
        outcomes = in_a_thread([pay(holds)], None)
    assert outcomes == [Later(holds[0].inventory_id)]


def test_in_the_lane_of_a_row_a_bag_that_wants_another_locked_row_is_busy() -> None:
    here, there = holds = holds_of(2)
    with transaction.atomic():
        list(locking([there.inventory_id]))
        outcomes = in_a_thread([pay(holds), hot(here, 1)], here.inventory_id)
    assert [type(outcome) for outcome in outcomes] == [Busy, Reservation]
    assert here.inventory_id not in stuck._stuck


def test_in_the_lane_of_a_row_a_bag_that_fails_repeats_nobody_elses_command() -> None:
    holds = holds_of(2)
    batch: list[Command] = [hot(holds[0], 1), sell(holds, 1, amount=0), hot(holds[0], 2)]
    one, refused, other = in_a_thread(batch, holds[0].inventory_id)
    assert isinstance(refused, IntegrityError)
    assert {type(one), type(other)} == {Reservation}
    assert Reservation.objects.exclude(holder="session:a").count() == 2
    assert audit_stock() == []

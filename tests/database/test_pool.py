"""The pool while the server is unreachable, when it is back, and after a failover."""

import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from threading import get_ident
from typing import Any

import psycopg_pool.pool
import pytest
from django.db import Error, connection
from psycopg_pool import PoolTimeout

from allo.postgresql import pool as pools
from allo.postgresql.pool import Attempt, Pool
from reservations import services
from reservations.engine.commands import Holder
from reservations.exceptions import Busy
from reservations.models import Reservation
from tests.stock import all_at_once, stocked

pytestmark = pytest.mark.django_db(transaction=True)


def the_pool() -> Any:
    return connection.pool  # type: ignore[attr-defined]


def backend() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def test_a_lost_connection_is_retried_at_least_every_half_second() -> None:
    attempt, now, delays = Attempt(timeout=5), 100.0, []
    while not attempt.time_to_give_up(now):
        attempt.update_delay(now)
        delays.append(attempt.delay)
        now += attempt.delay
    assert delays[0] == pytest.approx(0.1, rel=0.2)
    assert max(delays) == 0.5
    assert sum(delays) == pytest.approx(5, rel=0.1)


def test_after_a_pool_timeout_the_next_caller_is_refused_at_once(away, monkeypatch) -> None:
    monkeypatch.setattr(pools, "REMEMBERED", 60.0)
    the_pool().open()
    waits = []
    patience = Pool._patience

    def noted(pool, timeout):
        waits.append(patience(pool, timeout))
        return waits[-1]

    monkeypatch.setattr(Pool, "_patience", noted)
    for _ in range(3):
        with pytest.raises(PoolTimeout):
            the_pool().getconn()
    assert waits == [0.3, pools.AT_ONCE, pools.AT_ONCE]


@pytest.mark.parametrize("rows_known", [True, False])
def test_without_a_database_each_of_eight_callers_is_refused_within_one_wait(
    away, monkeypatch, rows_known
) -> None:
    """Those who share a batch, and those who look for the product's rows first."""
    waits: dict[int, list[float]] = defaultdict(list)
    patience = Pool._patience

    def noted(pool, timeout):
        waits[get_ident()].append(patience(pool, timeout))
        return waits[get_ident()][-1]

    monkeypatch.setattr(Pool, "_patience", noted)
    monkeypatch.setattr(pools, "REMEMBERED", 60.0)
    the_pool().open()

    def reserve(n: int) -> None:
        verb: Any = services.reserve_in if rows_known else services.reserve
        what: dict[str, Any] = {"rows": (1 + n % 2,)} if rows_known else {"product_id": 1}
        with pytest.raises((Busy, Error)):
            verb(quantity=1, holder=Holder(f"session:{n}"), **what)

    with ThreadPoolExecutor(8) as callers:
        list(callers.map(reserve, range(8)))
    assert len(waits) <= 8
    assert all(sum(each) <= 0.3 + pools.AT_ONCE for each in waits.values())
    if rows_known:
        assert sum(wait == 0.3 for each in waits.values() for wait in each) == 1


def test_one_dead_connection_drains_the_pool(pooled, monkeypatch) -> None:
    """psycopg's own delays would be 1 s after the first attempt and 2 s after the second."""

    def pause(_seconds: float) -> None:
        raise AssertionError("it pauses between dead connections")

    monkeypatch.setattr(psycopg_pool.pool, "sleep", pause)
    assert all(type(pid) is int for pid in all_at_once(4, lambda _: backend()))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND backend_type = 'client backend'"
        )
    connection.close()
    monkeypatch.setattr(pools, "TRUSTED", -1.0)
    assert all(type(pid) is int for pid in all_at_once(4, lambda _: backend()))


def test_a_connection_to_a_demoted_primary_is_not_used_again(alone) -> None:
    row = stocked(5)
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
    demoted = backend()
    connection.close()
    with pytest.raises(Busy):
        services.reserve(product_id=row.product_id, quantity=1, holder=Holder("session:1"))
    connection.close()
    hold = services.reserve(product_id=row.product_id, quantity=1, holder=Holder("session:1"))
    assert isinstance(hold, Reservation)
    assert backend() != demoted


@pytest.mark.parametrize("seconds", [0.0, 60.0])
def test_a_connection_is_checked_only_after_a_second_of_rest(alone, monkeypatch, seconds) -> None:
    monkeypatch.setattr(pools, "TRUSTED", 30 * pools.TRUSTED)
    asked: list[object] = []
    monkeypatch.setattr(psycopg_pool.ConnectionPool, "check_connection", asked.append)
    backend()
    vars(connection.connection)["taken_at"] = time.monotonic() - seconds
    connection.close()
    asked.clear()
    backend()
    assert len(asked) == bool(seconds)


def test_a_backend_killed_in_a_call_is_busy_and_the_next_call_is_served(alone, monkeypatch) -> None:
    monkeypatch.setattr(pools, "TRUSTED", 60.0)
    row = stocked(5)
    taken = backend()
    connection.close()
    everybody_is_ended(taken)
    with pytest.raises((Busy, Error)):
        services.reserve(product_id=row.product_id, quantity=1, holder=Holder("session:1"))
    connection.close()
    assert services.reserve(product_id=row.product_id, quantity=1, holder=Holder("session:1"))


def everybody_is_ended(pid: int) -> None:
    aside = connection.copy()
    aside.settings_dict["OPTIONS"].pop("pool")
    with aside.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    aside.close()

"""The one-command runner, for real: real processes, real signals, real servers."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from tests.running import (
    Shop,
    as_ordinary_user,
    processes_of,
    running_shop,
    start_shop,
    wait_for,
)

BUSY = (
    "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%series%' AND pid != pg_backend_pid()"
)

pytestmark = pytest.mark.runner


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    with running_shop(EXPIRY_SWEEP_SECONDS="1") as shop:
        yield shop


@pytest.fixture(scope="module")
def neighbour() -> Iterator[Shop]:
    """Another shop, of an ordinary user."""
    prefix = as_ordinary_user() if os.geteuid() == 0 else ()
    if prefix is None:
        pytest.skip("an ordinary user can reach neither this project nor its Python")
    with running_shop(prefix=prefix) as shop:
        yield shop


def test_first_start_says_where_the_shop_is_and_how_to_log_in(shop: Shop) -> None:
    assert shop.answers()
    assert f"{shop.url}/" in shop.said
    assert (shop.state / "admin-password").read_text().strip() in shop.said
    print(shop.said)  # the times, for whoever runs pytest with -s


def test_secrets_are_closed_to_others(shop: Shop) -> None:
    for name in ("secrets.json", "allo.env", "admin-password"):
        assert (shop.state / name).stat().st_mode & 0o777 == 0o600
    assert shop.state.stat().st_mode & 0o066 == 0


def test_database_is_not_on_the_network(shop: Shop) -> None:
    assert shop.sql("SHOW listen_addresses") == [("",)]


def test_shop_cannot_change_its_tables(shop: Shop) -> None:
    with (
        psycopg.connect(shop.variables()["DATABASE_URL"]) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute("DROP TABLE catalog_product CASCADE")


def test_second_shop_runs_beside_it_as_an_ordinary_user(shop: Shop, neighbour: Shop) -> None:
    assert neighbour.answers()
    assert shop.answers()
    owners = {Path(f"/proc/{pid}").stat().st_uid for pid in processes_of(neighbour.state)}
    assert owners == {neighbour.state.stat().st_uid}
    assert 0 not in owners


def test_second_interrupt_hastens_the_stop(neighbour: Shop) -> None:
    # A web server that hears nothing would otherwise get all of its patience, 4 s.
    os.kill(neighbour.child("allo.gunicorn "), signal.SIGSTOP)
    neighbour.process.send_signal(signal.SIGINT)
    wait_for(lambda: "Stopping" in neighbour.said, seconds=2)
    assert neighbour.stop(signal.SIGINT) < 2
    assert processes_of(neighbour.state) == {}


def test_postgres_killed_at_work_is_back_within_five_seconds(shop: Shop) -> None:
    with ThreadPoolExecutor() as pool:
        # A backend that computes does not notice by itself that its postmaster is gone.
        busy = pool.submit(shop.sql, "SELECT count(*) FROM generate_series(1, 1e10)")
        wait_for(lambda: shop.sql(BUSY) == [(1,)], seconds=5)
        before = shop.child("bin/postgres")
        os.kill(before, signal.SIGKILL)
        wait_for(lambda: shop.child("bin/postgres") not in {0, before}, seconds=5)
        wait_for(shop.answers, seconds=5)
        assert isinstance(busy.exception(), psycopg.OperationalError)


@pytest.mark.parametrize(
    "name", ["valkey", "worker", "beat", "allo.gunicorn ", "allo.gunicorn_live "]
)
def test_killed_process_is_started_again(shop: Shop, name: str) -> None:
    before = shop.child(name)
    os.kill(before, signal.SIGKILL)
    wait_for(lambda: shop.child(name) not in {0, before}, seconds=5)
    wait_for(shop.answers, seconds=10)


def test_clock_that_hangs_is_started_again(shop: Shop) -> None:
    before = shop.child("worker")
    os.kill(before, signal.SIGSTOP)
    shop.sql("TRUNCATE reservations_sweep")
    wait_for(lambda: shop.child("worker") not in {0, before}, seconds=60)
    assert "worker hangs and is ended" in shop.said
    wait_for(lambda: bool(shop.sql("SELECT 1 FROM reservations_sweep LIMIT 1")), seconds=20)


def test_killed_runner_leaves_no_process_and_the_next_recovers(shop: Shop) -> None:
    shop.sql("CREATE TABLE kept AS SELECT 42 AS answer")
    shop.process.kill()
    shop.process.wait()
    wait_for(lambda: not processes_of(shop.state), seconds=3)

    shop.process = start_shop(shop.state, port=shop.port).await_up().process
    assert shop.sql("SELECT answer FROM kept") == [(42,)]
    assert "password" not in shop.said


def test_interrupt_stops_everything(shop: Shop) -> None:
    assert shop.stop(signal.SIGINT) < 10
    assert shop.process.returncode == 0
    assert processes_of(shop.state) == {}


@pytest.mark.parametrize("moment", ["PostgreSQL", "Catalogue", "Web"])
def test_termination_during_the_start_stops_everything(shop: Shop, moment: str) -> None:
    shop.stop()
    starting = start_shop(shop.state)
    wait_for(lambda: moment in starting.said, seconds=30)
    assert starting.stop(signal.SIGTERM) < 10
    assert starting.process.returncode == 0
    assert processes_of(shop.state) == {}

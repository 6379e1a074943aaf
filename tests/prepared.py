"""What takes longest at a first start, made once for all processes of a test run: the tables, and
the state folder of a shop. Tests of the start itself do without it."""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from tests.running import PROJECT, Shop, clean_environment, started, state_folder
from tests.server import environment_of_database

# Names the folder to the processes of a run.
VARIABLE = "PREPARED_STATE"
# The owner of the tables prepares, for the shop's role.
PREPARE = """
    export DATABASE_URL="$APP_DATABASE_URL" MIGRATION_DATABASE_URL="$DATABASE_URL"
    "$0" manage.py prepare && "$0" -m tests.filled
"""


def begin() -> None:
    if VARIABLE not in os.environ:
        folder = Path(tempfile.mkdtemp(prefix="allo-test-"))
        folder.chmod(0o711)
        os.environ[VARIABLE] = str(folder)


def end() -> None:
    folder = Path(os.environ.pop(VARIABLE))
    if (folder / "database").exists():
        _as_owner(f'DROP DATABASE "{_database(folder)}"')
    shutil.rmtree(folder)


def database() -> str:
    """The name of a database that has all tables, to be copied."""
    folder = Path(os.environ[VARIABLE])
    _once(folder, "database", _migrate)
    return _database(folder)


@contextmanager
def prepared_shop(**environment: str) -> Iterator[Shop]:
    with state_folder() as state:
        copy_prepared(state)
        with started(state, (), environment) as shop:
            yield shop


def copy_prepared(state: Path) -> None:
    folder = Path(os.environ[VARIABLE])
    _once(folder, "state", _prepare)
    # With owners and permissions, which Python's own copies leave out.
    subprocess.run(["cp", "-a", folder / "state", state], check=True)


def _once(folder: Path, name: str, make: Callable[[Path, Path], None]) -> None:
    """Makes what this name stands for, unless another process has; a half is not taken for it."""
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / name).exists():
            unfinished = folder / f"{name}.unfinished"
            make(folder, unfinished)
            unfinished.rename(folder / name)


def _prepare(folder: Path, state: Path) -> None:
    runner = [sys.executable, "-m", "allo.embedded", "exec", "--state", str(state), "--"]
    _run([*runner, "sh", "-c", PREPARE, sys.executable], clean_environment(STATE_DIR=str(state)))
    assert not (state / "servers").is_symlink(), "a copy would share the servers' data"


def _migrate(folder: Path, mark: Path) -> None:
    name = _database(folder)
    _as_owner(f'CREATE DATABASE "{name}"')
    _run([sys.executable, "manage.py", "migrate", "-v0"], environment_of_database(name))
    mark.touch()


def _database(folder: Path) -> str:
    return f"prepared_{folder.name.removeprefix('allo-test-')}"


def _as_owner(statement: str) -> None:
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(statement)


def _run(command: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run(
        command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr

"""The database in and out of a backup, by PostgreSQL's own programs."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg import pq
from psycopg.conninfo import make_conninfo

from allo.embedded.errors import RunnerError
from allo.embedded.placement import POSTGRES, wheel_folder
from allo.recovery.archive import Refusal

# A migration under way locks tables whole.
LOCK_SECONDS = 60
CHUNK = 1 << 20
QUOTED_LINES = 4


def dump(connection: BaseDatabaseWrapper, to: IO[bytes]) -> None:
    """As of one moment, whatever is sold meanwhile. Nobody waits for it."""
    options = ("--format=custom", "--compress=1", f"--lock-wait-timeout={LOCK_SECONDS}s")
    with _program("pg_dump", options, connection, stdout=subprocess.PIPE) as process:
        assert process.stdout
        shutil.copyfileobj(process.stdout, to, CHUNK)


def contents(dumped: IO[bytes]) -> list[str]:
    """What a dump says it contains, a line for each thing, in the order of their creation."""
    with tempfile.TemporaryFile() as lines:
        with _program("pg_restore", ["--list"], stdin=subprocess.PIPE, stdout=lines) as process:
            _pour(dumped, process)
        lines.seek(0)
        return [line for line in lines.read().decode().splitlines() if line[:1].isdigit()]


def load(connection: BaseDatabaseWrapper, dumped: IO[bytes], wanted: Sequence[str]) -> None:
    """All of `wanted` in one transaction, or nothing. Owners and privileges are those of here."""
    with tempfile.NamedTemporaryFile("w", suffix=".list") as chosen:
        chosen.write("\n".join(wanted))
        chosen.flush()
        options = (
            "--single-transaction", "--no-owner", "--no-privileges", f"--use-list={chosen.name}",
        )  # fmt: skip
        with _program("pg_restore", options, connection, stdin=subprocess.PIPE) as process:
            _pour(dumped, process)


def _pour(source: IO[bytes], process: subprocess.Popen[bytes]) -> None:
    assert process.stdin
    # A program that ends early says why by itself.
    with suppress(BrokenPipeError), process.stdin as stdin:
        shutil.copyfileobj(source, stdin, CHUNK)


@contextmanager
def _program(
    name: str,
    options: Sequence[str],
    connection: BaseDatabaseWrapper | None = None,
    *,
    stdin: int = subprocess.DEVNULL,
    stdout: int | IO[bytes] = subprocess.DEVNULL,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run it; raise what it complains of if it fails. It never asks for a password."""
    address, environment = _address(connection) if connection else ([], {})
    command = [str(_folder() / name), *options, *address]
    with tempfile.TemporaryFile() as complaints:
        process = subprocess.Popen(
            command, stdin=stdin, stdout=stdout, stderr=complaints, env=os.environ | environment
        )
        try:
            yield process
        except BaseException:
            process.kill()
            raise
        finally:
            for stream in (process.stdin, process.stdout):
                if stream:
                    stream.close()
            process.wait()
        if process.returncode:
            complaints.seek(0)
            raise _failure(name, complaints.read().decode(errors="replace"))


def _failure(name: str, complaint: str) -> Refusal:
    lines = [line for line in complaint.splitlines() if line.startswith(name)]
    return Refusal(f"{name} could not do its work.", "\n".join(lines[:QUOTED_LINES]))


def _folder() -> Path:
    """POSTGRES_PROGRAMS, for a server that is newer than the wheel."""
    if given := os.environ.get("POSTGRES_PROGRAMS"):
        return Path(given)
    try:
        return wheel_folder(*POSTGRES)[1] / "bin"
    except RunnerError as error:
        raise Refusal(str(error), "Install it, or set POSTGRES_PROGRAMS.") from None


def _address(connection: BaseDatabaseWrapper) -> tuple[list[str], dict[str, str]]:
    """Where the database is. The password goes by the environment, as commands can be listed."""
    known = {option.keyword.decode() for option in pq.Conninfo.get_defaults()}
    given = connection.get_connection_params()
    place = {name: value for name, value in given.items() if name in known - {"password"}}
    password = given.get("password")
    conninfo = make_conninfo(**place)
    return ["--no-password", f"--dbname={conninfo}"], {"PGPASSWORD": password} if password else {}

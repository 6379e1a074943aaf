"""The database in and out of a backup, by PostgreSQL's own programs."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen
from typing import IO

from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg import pq
from psycopg.conninfo import make_conninfo

from allo.embedded.errors import RunnerError
from allo.embedded.placement import POSTGRES, wheel_folder
from allo.embedded.processes import describe_end, telling_lines
from allo.recovery.archive import BackupRefused

# A migration under way locks tables whole.
LOCK_SECONDS = 60
CHUNK = 1 << 20
PSQL = ("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1")
NEW_SERVERS_ONLY = b"SET transaction_timeout = 0;\n"
ANY_SERVER = b"""
    SELECT set_config(name, '0', false) FROM pg_settings WHERE name = 'transaction_timeout';
"""


def dump(connection: BaseDatabaseWrapper, to: IO[bytes]) -> None:
    """As of one moment, whatever is sold meanwhile. Nobody waits for it."""
    options = ("--format=custom", "--compress=1", f"--lock-wait-timeout={LOCK_SECONDS}s")
    with _program("pg_dump", options, connection, stdout=PIPE) as process:
        assert process.stdout
        shutil.copyfileobj(process.stdout, to, CHUNK)


def contents(dumped: IO[bytes]) -> list[str]:
    """What a dump contains, a line for each object, in the order of their creation."""
    with tempfile.TemporaryFile() as lines:
        with _program("pg_restore", ["--list"], stdin=PIPE, stdout=lines) as process:
            _pour(dumped, process)
        lines.seek(0)
        return [line for line in lines.read().decode().splitlines() if line[:1].isdigit()]


def load(connection: BaseDatabaseWrapper, dumped: IO[bytes], wanted: Sequence[str]) -> None:
    """All of `wanted` in one transaction, or nothing. Owners and privileges are those of here."""
    with tempfile.NamedTemporaryFile("w", suffix=".list") as chosen:
        chosen.write("\n".join(wanted))
        chosen.flush()
        options = ("--file=-", "--no-owner", "--no-privileges", f"--use-list={chosen.name}")
        with (
            ThreadPoolExecutor(1) as pool,
            _program("pg_restore", options, stdin=PIPE, stdout=PIPE) as restore,
            _program("psql", PSQL, connection, stdin=PIPE) as psql,
        ):
            pouring = pool.submit(_pour, dumped, restore)
            _execute(restore, psql)
            pouring.result()


def _execute(restore: Popen[bytes], psql: Popen[bytes]) -> None:
    """Have psql do what pg_restore writes, in one transaction."""
    assert restore.stdout
    assert psql.stdin
    with suppress(BrokenPipeError), psql.stdin as stdin:
        stdin.write(b"BEGIN;\n")
        _pass_on(restore.stdout, stdin)
        # Not after half of a script, after which psql would end as if it were whole.
        if restore.wait() == 0:
            stdin.write(b"COMMIT;\n")


def _pass_on(script: IO[bytes], to: IO[bytes]) -> None:
    """Servers before 17 do not know one of the settings with which a script begins."""
    for line in script:
        to.write(ANY_SERVER if line == NEW_SERVERS_ONLY else line)
        if line == NEW_SERVERS_ONLY:
            break
    shutil.copyfileobj(script, to, CHUNK)


def _pour(source: IO[bytes], process: Popen[bytes]) -> None:
    assert process.stdin
    # A program that ends early says why by itself; one that is ended has its input closed.
    with suppress(BrokenPipeError, ValueError), process.stdin as stdin:
        shutil.copyfileobj(source, stdin, CHUNK)


@contextmanager
def _program(
    name: str,
    options: Sequence[str],
    connection: BaseDatabaseWrapper | None = None,
    *,
    stdin: int = DEVNULL,
    stdout: int | IO[bytes] = DEVNULL,
) -> Iterator[Popen[bytes]]:
    """Run it; raise its error output if it fails. It never asks for a password."""
    address, environment = _address(connection) if connection else ([], {})
    command = [str(_folder() / name), *options, *address]
    with tempfile.TemporaryFile() as complaints:
        process = Popen(
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
                    with suppress(BrokenPipeError):
                        stream.close()
            process.wait()
        if process.returncode:
            complaints.seek(0)
            said = telling_lines(complaints.read().decode(errors="replace"))
            raise BackupRefused(f"{name} {describe_end(process.returncode)}.", said)


def _folder() -> Path:
    """POSTGRES_PROGRAMS, for a server that is newer than the wheel."""
    if given := os.environ.get("POSTGRES_PROGRAMS"):
        return Path(given)
    try:
        return wheel_folder(*POSTGRES)[1] / "bin"
    except RunnerError as error:
        raise BackupRefused(str(error), "Install it, or set POSTGRES_PROGRAMS.") from None


def _address(connection: BaseDatabaseWrapper) -> tuple[list[str], dict[str, str]]:
    """Where the database is. The password goes by the environment, as commands can be listed."""
    known = {option.keyword.decode() for option in pq.Conninfo.get_defaults()}
    given = connection.get_connection_params()
    place = {name: value for name, value in given.items() if name in known - {"password"}}
    password = given.get("password")
    conninfo = make_conninfo(**place)
    return ["--no-password", f"--dbname={conninfo}"], {"PGPASSWORD": password} if password else {}

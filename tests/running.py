"""Starts the real runner, as `make up` does, and inspects what it leaves behind."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

PROJECT = Path(__file__).resolve().parents[1]
# In seconds. It ends a test that would hang: on a machine that is slow and does much else, what is
# awaited may come late.
PATIENCE = 120.0
# What the runner of the tests exports, or a developer has set, is not for the runner under test.
NOT_INHERITED = {
    "DATABASE_URL", "MIGRATION_DATABASE_URL", "APP_DATABASE_URL", "REDIS_URL", "SECRET_KEY",
    "STATE_DIR", "HOST", "PORT", "LIVE_PORT", "LIVE_URL", "LIVE_ALLOW_ORIGINS", "BANK_PORT",
    "BANK_URL", "BANK_SECRET", "BANK_WEBHOOK_SECRET", "PAYMENT_PROVIDER",
}  # fmt: skip


@dataclass
class Shop:
    """A runner and the shop it runs."""

    process: subprocess.Popen[bytes]
    state: Path
    port: int
    output: Path
    took: float = 0.0  # its start, in seconds

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def said(self) -> str:
        return self.output.read_text()

    def answers(self) -> bool:
        """Tell whether the web server is there and reaches the database."""
        with suppress(OSError), urllib.request.urlopen(f"{self.url}/readyz", timeout=30):  # noqa: S310
            return True
        return False

    def await_up(self) -> "Shop":
        said = "Ctrl-C stops everything."  # its last words
        self.took = wait_for(
            lambda: said in self.said or self.process.poll() is not None, seconds=300
        )
        assert self.process.poll() is None, self.said
        return self

    def stop(self, number: signal.Signals = signal.SIGTERM) -> float:
        """Ask for the end; return how many seconds it took."""
        started = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(PATIENCE)
        return time.monotonic() - started

    def child(self, word: str) -> int:
        """Return the process id of the runner's child whose command has this word, or 0."""
        commands = processes_of(self.state).items()
        ours = (pid for pid, command in commands if word in command)
        return next((pid for pid in ours if parent_of(pid) == self.process.pid), 0)

    def processes(self, word: str) -> list[int]:
        """Return the runner's child whose command has this word, and after it its own children."""
        child = self.child(word)
        return [child, *(pid for pid in processes_of(self.state) if parent_of(pid) == child)]

    def pause(self, word: str) -> None:
        """Stop the child as well as its own children, which end and begin until it is stopped."""
        os.kill(self.child(word), signal.SIGSTOP)
        for process in self.processes(word)[1:]:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGSTOP)

    def variables(self, file: str = "allo.env") -> dict[str, str]:
        lines = (self.state / file).read_text().splitlines()
        return {
            name: value.strip("'") for name, _, value in (line.partition("=") for line in lines)
        }

    @property
    def logs(self) -> list[Path]:
        return list((self.state / "log").iterdir())

    @property
    def owner_url(self) -> str:
        return self.variables("owner.env")["MIGRATION_DATABASE_URL"]

    def sql(self, statement: str) -> list[Any]:
        with psycopg.connect(self.owner_url) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def leave_pictures_alone(self) -> "Shop":
        """The worker of a new shop would make their sizes for two minutes."""
        self.sql("UPDATE catalog_product SET widths = '{}'")
        self.sql("UPDATE catalog_productpicture SET widths = '{}'")
        return self


def start_shop(
    state: Path,
    *,
    port: int | None = None,
    prefix: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> Shop:
    port = port or free_port()
    output = state.with_name(state.name + ".out")
    with output.open("wb") as stream:
        process = subprocess.Popen(
            [*prefix, sys.executable, "-m", "allo.embedded", "up", "--with-parent"],
            cwd=PROJECT,
            env=clean_environment(STATE_DIR=str(state), PORT=str(port), **(environment or {})),
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
    return Shop(process, state, port, output)


@contextmanager
def running_shop(*, prefix: Sequence[str] = (), **environment: str) -> Iterator[Shop]:
    with state_folder() as state, started(state, prefix, environment) as shop:
        yield shop


@contextmanager
def started(state: Path, prefix: Sequence[str], environment: Mapping[str, str]) -> Iterator[Shop]:
    shop = start_shop(state, prefix=prefix, environment=environment)
    try:
        yield shop.await_up()
    finally:
        shop.stop()


@contextmanager
def state_folder() -> Iterator[Path]:
    """Not pytest's tmp_path: that is closed to the account PostgreSQL runs as under root."""
    folder = Path(tempfile.mkdtemp(prefix="allo-test-"))
    folder.chmod(0o777)
    try:
        yield folder / "state"
    finally:
        shutil.rmtree(folder)


def as_ordinary_user() -> tuple[str, ...] | None:
    """Return what to put before a command of root's so that it runs as nobody, if it can."""
    nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    if not _succeeds(*nobody, "test", "-r", psycopg.__file__, "-a", "-x", str(PROJECT)):
        return None
    # A Python under root's own home: this one capability lets it be read, and nothing more.
    reader = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
    same_python = f"import sys; sys.exit(sys.base_prefix != {sys.base_prefix!r})"
    for prefix in (nobody, nobody + reader):
        if _succeeds(*prefix, sys.executable, "-c", same_python):
            return prefix
    return None


def _succeeds(*command: str) -> bool:
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, check=False)
    return done.returncode == 0


def clean_environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
    return kept | more


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def wait_for(
    condition: Callable[[], bool], *, seconds: float = PATIENCE, every: float = 0.05
) -> float:
    """Return how long it took; the operating system sends no event for what we wait for here."""
    started = time.monotonic()
    while not condition():
        passed = time.monotonic() - started
        assert passed < seconds, f"did not happen within {seconds} s"
        time.sleep(every)
    return time.monotonic() - started


def takes_less_than(seconds: float, act: Callable[[], object], tries: int = 5) -> bool:
    """Whether it does once in some tries: beside other processes anything may take longer."""
    for _ in range(tries):
        started = time.monotonic()
        act()
        if time.monotonic() - started < seconds:
            return True
    return False


def processes_of(state: Path) -> dict[int, str]:
    """Return every live process that works for this state folder, with its command."""
    mark = os.fsencode(state)
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            command = (process / "cmdline").read_bytes()
            places = (
                command,
                (process / "environ").read_bytes(),
                os.fsencode((process / "cwd").readlink()),
            )
            if any(mark in place for place in places):
                found[int(process.name)] = command.replace(b"\0", b" ").decode()
    return found


def environment_of(pid: int) -> dict[str, str]:
    """What a process was started with."""
    variables = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
    return {name: value for name, _, value in (line.partition("=") for line in variables) if name}


def parent_of(pid: int) -> int:
    with suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
    return 0

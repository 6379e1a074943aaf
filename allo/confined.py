"""Uploaded files are parsed in a process of their own, with limits on time and memory.

No check of a file can foresee what a parser will need for it, but the process has limits: a file
that exceeds them ends that process, not a thread of the web server or the worker. The program has
no settings of the shop and no connection to the database.
"""

import os
import resource
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from shutil import copyfileobj
from subprocess import PIPE, Popen
from tempfile import TemporaryFile
from threading import Timer
from typing import IO

PROJECT = Path(__file__).resolve().parents[1]
MEGABYTE = 2**20
OUT_OF_MEMORY = 70
STATM = Path("/proc/self/statm")


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that one file may use, on top of what the interpreter itself takes. `memory` is in
    bytes; `wall_seconds` ends a program that waits instead of computing."""

    cpu_seconds: float
    memory: int
    wall_seconds: float


class Failed(Exception):
    """The program ended without a result."""


class TooMuch(Failed):
    """The file needed more than its limits; `of` is "time" or "memory"."""

    def __init__(self, of: str) -> None:
        super().__init__(of)
        self.of = of


@contextmanager
def running(module: str, file: IO[bytes], limits: Limits) -> Iterator[IO[bytes]]:
    """The output of the module, run as a program with the file as its standard input. Raises
    `TooMuch` or `Failed` at the end, so that a partial result is never used."""
    # Warnings of parsers are dropped, so that a file cannot fill the log.
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        module,
        str(limits.cpu_seconds),
        str(limits.memory),
    ]
    with TemporaryFile() as copy:
        file.seek(0)
        copyfileobj(file, copy)
        copy.seek(0)
        with Popen(command, stdin=copy, stdout=PIPE, cwd=PROJECT, env=_environment()) as process:
            assert process.stdout
            clock = Timer(limits.wall_seconds, process.kill)
            clock.start()
            try:
                yield process.stdout
                # It may still be running, with or without having written its result.
                process.stdout.read()
                _raise_for(process.wait())
            finally:
                process.kill()
                clock.cancel()


def _environment() -> dict[str, str]:
    """The variables that Python needs to find packages, and none of the shop's secrets."""
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    return kept | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def _raise_for(code: int) -> None:
    if code in (-signal.SIGXCPU, -signal.SIGKILL):
        raise TooMuch("time")
    if code == OUT_OF_MEMORY:
        raise TooMuch("memory")
    if code:
        raise Failed(f"ended with {code}")


# --- in the program itself ------------------------------------------------------------------------


@contextmanager
def limited() -> Iterator[None]:
    """Sets the limits that `running` passed on. Imports come before, so that they do not count."""
    _limit(float(sys.argv[1]), int(sys.argv[2]))
    try:
        yield
    except MemoryError:
        # Exit at once, without cleanup: there is no memory for it.
        os._exit(OUT_OF_MEMORY)


def _limit(cpu_seconds: float, memory: int) -> None:
    seconds = ceil(time.process_time() + cpu_seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Only Linux enforces a limit on memory; elsewhere only the time is limited.
    if STATM.exists():
        size = int(STATM.read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + memory, size + memory))

"""Child processes that cannot outlive the runner."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from allo.embedded.errors import RunnerError
from allo.embedded.placement import Account

PR_SET_PDEATHSIG = 1
QUOTED_LINES = 6

Stream = IO[bytes] | int | None


@dataclass(frozen=True, kw_only=True)
class Program:
    command: Sequence[str]
    environment: Mapping[str, str]
    folder: Path = Path("/")
    account: Account | None = None
    # Sent when `patience` is over, and by the kernel if the runner dies.
    kill_signal: signal.Signals = signal.SIGKILL


@dataclass(frozen=True, kw_only=True)
class Service(Program):
    """One row of the process table."""

    name: str
    # Written once to its standard input.
    input: str = ""
    ready: Callable[[], bool] | None = None
    ended: Callable[[], object] | None = None
    # Whether it responds; takes at most a few seconds. A process that has not responded for
    # `silence` seconds is restarted; it may take longer until its first response.
    answers: Callable[[], bool] | None = None
    silence: float = 10.0
    # Whether it responds but does no work. The check is told for how many seconds the process and
    # all before it have responded.
    stalled: Callable[[float], bool] | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    patience: float = 2.0


def die_with_parent(number: signal.Signals) -> None:
    """Have the kernel send this process `number` when its parent's main thread ends (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(number))


def tie_to_runner(number: signal.Signals) -> Callable[[], None]:
    """Make a preexec_fn: Popen calls it after the change of user, which clears the setting."""
    runner = os.getpid()

    def tie() -> None:
        die_with_parent(number)
        # If the runner died between fork and prctl, no signal would ever come.
        if os.getppid() != runner:
            os.kill(os.getpid(), signal.SIGKILL)

    return tie


def launch(
    program: Program, *, stdin: Stream, stdout: Stream, stderr: Stream
) -> subprocess.Popen[bytes]:
    """Start it in a session of its own, so that Ctrl-C at the terminal does not reach it."""
    return subprocess.Popen(
        program.command,
        env=program.environment,
        cwd=program.folder,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        user=program.account.uid if program.account else None,
        group=program.account.gid if program.account else None,
        extra_groups=[] if program.account else None,
        start_new_session=True,
        preexec_fn=tie_to_runner(program.kill_signal),  # noqa: PLW1509 - the runner has no threads
    )


def run_tool(program: Program, text: str = "") -> str:
    """Run a short helper to its end; raise its error output as a `RunnerError`."""
    pipe = subprocess.PIPE
    process = launch(program, stdin=pipe, stdout=pipe, stderr=pipe)
    output, complaint = process.communicate(text.encode())
    if process.returncode:
        name = Path(program.command[0]).name
        raise RunnerError(
            f"{name} {describe_end(process.returncode)}.", telling_lines(complaint.decode())
        )
    return output.decode()


def describe_end(returncode: int) -> str:
    if returncode < 0:
        return f"was ended by {signal.Signals(-returncode).name}"
    return f"ended with exit code {returncode}"


def telling_lines(text: str) -> str:
    """Return the last lines that are useful to a person: without stack frames, which are
    indented."""
    lines = [line for line in text.splitlines() if line[:1].strip() and "Traceback" not in line]
    return "\n".join(lines[-QUOTED_LINES:])

"""Starts processes, restarts those that die or hang, and stops them in order."""

import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Never

from allo.embedded.console import say
from allo.embedded.errors import RunnerError
from allo.embedded.log_files import rotate, shorten
from allo.embedded.processes import (
    Program,
    Service,
    describe_end,
    launch,
    telling_lines,
    tie_to_runner,
)
from allo.embedded.signals import SignalQueue

# On a slow and busy machine a worker's start alone takes half a minute.
READY_SECONDS = 60
POLL_SECONDS = 0.02
# In an immediate shutdown PostgreSQL gives its children 5 s before it kills them.
KILL_SECONDS = 6.0
FIRST_DELAY = 0.1
LONGEST_DELAY = 10.0
CALM_SECONDS = 10.0
CHECK_SECONDS = 5.0
# While a process does not respond.
RECHECK_SECONDS = 1.0


class Child:
    """A service, the process that runs it now, and when to start the next one."""

    def __init__(self, service: Service, log: Path) -> None:
        self.service = service
        self.log = log
        self.failures = 0
        self.restart_at: float | None = None
        rotate(log)
        self.start()

    def start(self) -> None:
        self.started_at = time.monotonic()
        with self.log.open("ab") as log:
            self.process = launch(
                self.service,
                stdin=subprocess.PIPE if self.service.input else subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        if self.process.stdin:
            with suppress(BrokenPipeError), self.process.stdin as stdin:
                stdin.write(self.service.input.encode())
        self.restart_at = None
        self.answer_by = self.started_at + READY_SECONDS

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    @property
    def cared_for(self) -> bool:
        return self.alive or self.restart_at is not None

    def revive(self) -> None:
        if self.alive:
            return
        if self.restart_at is None:
            self._plan_restart(describe_end(self.process.returncode))
        elif time.monotonic() >= self.restart_at:
            try:
                self.start()
            except OSError as error:  # for want of memory, perhaps, which others may give back
                self._plan_restart(f"cannot start ({error.strerror})")

    def _plan_restart(self, why: str) -> None:
        if self.service.ended:
            self.service.ended()
        now = time.monotonic()
        self.failures = 0 if now - self.started_at > CALM_SECONDS else self.failures + 1
        delay = min(LONGEST_DELAY, FIRST_DELAY * 2**self.failures)
        self.restart_at = now + delay
        say(f"{self.service.name} {why}, starts again in {delay:.1f} s ({self.log})")

    def answers(self) -> bool:
        """Whether it responds now; always true for a service without such a check."""
        if self.service.answers and not self.service.answers():
            return False
        self.answer_by = time.monotonic() + self.service.silence
        return True

    def stalls(self, well_since: float) -> bool:
        stalled = self.service.stalled
        return bool(stalled and stalled(time.monotonic() - max(self.started_at, well_since)))

    def end(self) -> None:
        """Kill it, since a process that hangs may ignore SIGTERM. It restarts like one that
        died."""
        say(f"{self.service.name} hangs and is ended ({self.log})")
        self.process.kill()
        self.process.wait()

    def stop(self, queue: SignalQueue, patience: float) -> bool:
        """Send the stop signal, wait, then the kill signal. True if another signal came
        meanwhile."""
        hurry = False
        deadline = time.monotonic() + patience
        self.process.send_signal(self.service.stop_signal)
        while self.alive and not hurry and (left := deadline - time.monotonic()) > 0:
            hurry = bool(queue.wait(left))
        self.process.send_signal(self.service.kill_signal)
        try:
            self.process.wait(KILL_SECONDS)
        except subprocess.TimeoutExpired:
            self.end()
            if self.service.ended:
                self.service.ended()
        return hurry


class Supervisor:
    def __init__(self, queue: SignalQueue, logs: Path, log_bytes: int) -> None:
        self.queue = queue
        self.logs = logs
        self.log_bytes = log_bytes
        self.groups: list[list[Child]] = []
        # Since when every check has succeeded.
        self.well_since = time.monotonic()

    def start(self, *services: Service) -> None:
        """Start them as one group, each when the one before is ready."""
        group: list[Child] = []
        self.groups.append(group)
        for service in services:
            group.append(Child(service, self.logs / f"{service.name}.log"))
            self._await_ready(group[-1])

    def _await_ready(self, child: Child) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while child.service.ready and not child.service.ready():
            if not child.alive:
                raise failure(child.service.name, describe_end(child.process.returncode), child.log)
            if time.monotonic() > deadline:
                raise failure(
                    child.service.name, f"is not ready after {READY_SECONDS} s", child.log
                )
            self.queue.pause(POLL_SECONDS)

    def complete(self, name: str, program: Program) -> None:
        """Run a program to its end. Its output goes to the terminal, its errors to a log."""
        log = self.logs / f"{name}.log"
        rotate(log)
        with log.open("ab") as complaints:
            process = launch(program, stdin=subprocess.DEVNULL, stdout=None, stderr=complaints)
        try:
            while process.poll() is None:
                self.queue.pause(None)
        finally:
            process.kill()
            process.wait()
        if process.returncode:
            raise failure(name, describe_end(process.returncode), log)

    def watch(self) -> Never:
        while True:
            self._revive()
            for child in self._children():
                shorten(child.log, self.log_bytes)
            # Restart dead processes before any check, which can take seconds.
            well = self._all_are_well()
            if not well:
                self.well_since = time.monotonic()
            self._pause(CHECK_SECONDS if well else RECHECK_SECONDS)

    def _pause(self, seconds: float) -> None:
        """Ends early if a child dies. Checks start programs too, whose ends are no reason to check
        again."""
        until_restart = self._until_restart()
        left = seconds if until_restart is None else min(seconds, until_restart)
        deadline = time.monotonic() + left
        while left > 0 and all(child.cared_for for child in self._children()):
            self.queue.pause(left)
            left = deadline - time.monotonic()

    def _all_are_well(self) -> bool:
        try:
            return all(child.alive for child in self._children()) and self._all_answer()
        except OSError as error:
            # That a check cannot start its own program says nothing of the process it is about.
            say(f"Nothing can be checked: {error.strerror}")
            return False

    def _all_answer(self) -> bool:
        """Check each in the order of the start, and end the first that hangs. Those after one that
        does not respond are not checked: it may be the cause of their failure."""
        for child in self._children():
            if not child.answers():
                if time.monotonic() > child.answer_by:
                    child.end()
                return False
            if child.stalls(self.well_since):
                child.end()
                return False
        return True

    def run(self, command: Sequence[str], environment: Mapping[str, str]) -> int:
        """Run a command in the foreground. Ctrl-C at the terminal reaches it directly."""
        process = subprocess.Popen(
            command,
            env=environment,
            preexec_fn=tie_to_runner(signal.SIGTERM),  # noqa: PLW1509 - the runner has no threads
        )
        while process.poll() is None:
            self._revive()
            for number in self.queue.wait(self._until_restart()) - {signal.SIGINT}:
                process.send_signal(number)
        return process.returncode

    def stop(self) -> None:
        """Stop the last group first, each group in its own order. After a second Ctrl-C do not
        wait."""
        hurry = False
        while self.groups:
            for child in self.groups.pop():
                hurry |= child.stop(self.queue, 0 if hurry else child.service.patience)

    def _children(self) -> Iterator[Child]:
        return chain.from_iterable(self.groups)

    def _revive(self) -> None:
        for child in self._children():
            child.revive()

    def _until_restart(self) -> float | None:
        """In seconds; None if no restart is planned."""
        due = [child.restart_at for child in self._children() if child.restart_at is not None]
        return max(0.0, min(due) - time.monotonic()) if due else None


def failure(name: str, what: str, log: Path) -> RunnerError:
    hint = telling_lines(log.read_text(errors="replace"))
    return RunnerError(f"{name} {what}. Its log, {log}, ends:", hint)

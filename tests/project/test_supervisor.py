"""What the runner does between its checks, with a process of its own and a clock that is not waited
for."""

import errno
import signal
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from allo.embedded import supervisor as supervising
from allo.embedded.processes import Service, launch
from allo.embedded.signals import Stopped
from allo.embedded.supervisor import CHECK_SECONDS, Supervisor


class Queue:
    """Each pause ends at once, as when a program ends that a check has started."""

    def __init__(self) -> None:
        self.paused: list[float] = []

    def pause(self, seconds: float) -> None:
        self.paused.append(seconds)
        if len(self.paused) == 3:
            raise Stopped

    def wait(self, _seconds: float) -> set[int]:
        return {signal.SIGTERM}


class Full(StringIO):
    """A file on a disk without space."""

    def write(self, _text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


class Once:
    """Fails at first, for want of memory."""

    def __init__(self, call: Callable[..., Any]) -> None:
        self.call = call
        self.calls = 0

    def __call__(self, *given: Any, **named: Any) -> Any:
        self.calls += 1
        if self.calls == 1:
            raise OSError(errno.ENOMEM, "Cannot allocate memory")
        return self.call(*given, **named)


def watched(
    folder: Path, *, answers: Callable[[], bool] | None = None, before: Callable[[Any], object]
) -> list[float]:
    """How long the runner would have paused each time. `before` gets the process that it watches.
    Afterwards that, or its successor, runs."""
    service = Service(
        name="steady", command=["tail", "-f", "/dev/null"], environment={}, answers=answers
    )
    queue = Queue()
    supervisor = Supervisor(queue, folder, 1000)  # type: ignore[arg-type]
    supervisor.start(service)
    [[child]] = supervisor.groups
    try:
        before(child.process)
        with pytest.raises(Stopped):
            supervisor.watch()
        assert child.alive
    finally:
        supervisor.stop()
    return queue.paused


def killed(process: Any) -> None:
    process.kill()
    process.wait()


def test_the_end_of_a_program_that_a_check_started_is_no_reason_to_check_again(
    tmp_path: Path,
) -> None:
    checks: list[bool] = []
    paused = watched(
        tmp_path,
        answers=lambda: not checks.append(True),  # type: ignore[func-returns-value]
        before=bool,
    )
    assert checks == [True]
    assert paused == sorted(paused, reverse=True)
    assert max(paused) <= CHECK_SECONDS


def test_a_log_whose_end_cannot_be_kept_is_emptied_and_the_shop_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "steady.log"

    def grown(_process: object) -> None:
        log.write_bytes(b"x" * 2000)
        (tmp_path / "steady.log.1").symlink_to("/dev/full")

    watched(tmp_path, before=grown)
    assert log.stat().st_size == 0


def test_a_process_that_died_starts_again_though_that_cannot_be_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervising, "FIRST_DELAY", 0.0)
    monkeypatch.setattr("sys.stdout", Full())
    watched(tmp_path, before=killed)


def test_a_process_that_cannot_be_started_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(supervising, "FIRST_DELAY", 0.0)
    launching = Once(launch)

    def dead(process: Any) -> None:
        killed(process)
        monkeypatch.setattr(supervising, "launch", launching)

    watched(tmp_path, before=dead)
    assert launching.calls == 2
    assert "steady cannot start (Cannot allocate memory), starts again" in capsys.readouterr().out


def test_a_check_that_cannot_be_made_ends_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = Once(lambda: True)
    watched(tmp_path, answers=answers, before=bool)
    assert answers.calls == 1
    assert "Nothing can be checked: Cannot allocate memory" in capsys.readouterr().out

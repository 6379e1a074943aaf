"""What the runner does between its checks, with a process of its own and a clock that is not waited
for."""

import signal
from pathlib import Path

import pytest

from allo.embedded.processes import Service
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


def test_the_end_of_a_program_that_a_check_started_is_no_reason_to_check_again(
    tmp_path: Path,
) -> None:
    checks: list[bool] = []
    service = Service(
        name="steady",
        command=["tail", "-f", "/dev/null"],
        environment={},
        answers=lambda: not checks.append(True),  # type: ignore[func-returns-value]
    )
    queue = Queue()
    supervisor = Supervisor(queue, tmp_path, 1000)  # type: ignore[arg-type]
    supervisor.start(service)
    try:
        with pytest.raises(Stopped):
            supervisor.watch()
    finally:
        supervisor.stop()
    assert checks == [True]
    assert queue.paused == sorted(queue.paused, reverse=True)
    assert max(queue.paused) <= CHECK_SECONDS

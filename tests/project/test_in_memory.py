"""Where a test run has its temporary files."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests import in_memory

TOUCH = "import os, pathlib; pathlib.Path(os.environ['TMPDIR'], 'x').touch()"
PATIENT = """
import signal, sys
signal.signal(15, lambda *_: sys.exit(7))
print(flush=True)
signal.pause()
"""


@pytest.fixture
def memory(tmp_path: Path, monkeypatch) -> Path:
    folder = tmp_path / "memory"
    folder.mkdir()
    monkeypatch.setattr(in_memory, "MEMORY", folder)
    monkeypatch.setattr(in_memory, "ROOM", 0)
    monkeypatch.setattr(in_memory, "AVAILABLE", 0)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    return folder


def test_a_run_has_a_folder_in_memory_and_removes_it_and_what_killed_ones_left(memory) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    alive, dead = (memory / f"allo-tests-{pid}" for pid in (os.getppid(), ended.pid))
    for folder in (alive, dead):
        folder.mkdir()
    mine = memory / f"allo-tests-{os.getpid()}"
    look = f"{TOUCH}; assert pathlib.Path({str(mine)!r}, 'x').exists()"
    assert in_memory.main([sys.executable, "-c", look]) == 0
    assert list(memory.iterdir()) == [alive]


@pytest.mark.parametrize("short", ["ROOM", "AVAILABLE"])
def test_without_room_it_stays_where_it_was(memory, monkeypatch, tmp_path, short: str) -> None:
    monkeypatch.setattr(in_memory, short, 2**60)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert in_memory.main([sys.executable, "-c", TOUCH]) == 0
    assert (tmp_path / "x").exists()
    assert list(memory.iterdir()) == []


def test_its_end_is_passed_on_and_awaited() -> None:
    run = [sys.executable, "-m", "tests.in_memory", sys.executable, "-c", PATIENT]
    with subprocess.Popen(run, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        process.terminate()
        assert process.wait() == 7
    assert not Path(f"/dev/shm/allo-tests-{process.pid}").exists()  # noqa: S108

"""`python -m tests.in_memory COMMAND`: with its temporary files in memory, if there is room.

The tests' database is among them. Each test that commits ends by emptying tables, which is to make
and remove a hundred files: on a disk that takes ten times as long.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

MEMORY = Path("/dev/shm")  # noqa: S108 - each run has a folder of its own there
PREFIX = "allo-tests-"
# Far more than a run needs: what lies in memory must not take it from the processes.
ROOM = 6 * 2**30
AVAILABLE = 10 * 2**30
# By version 2 and version 1.
LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def main(command: Sequence[str]) -> int:
    _remove_left_behind()
    if not has_room():
        return _run(command)
    folder = MEMORY / f"{PREFIX}{os.getpid()}"
    folder.mkdir()
    folder.chmod(0o1777)  # as /tmp is: servers run as another account
    try:
        return _run(command, TMPDIR=str(folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def has_room() -> bool:
    """Programs may be copied there, so it must allow to run them."""
    if not MEMORY.is_dir():
        return False
    there = os.statvfs(MEMORY)
    if there.f_flag & os.ST_NOEXEC or there.f_bavail * there.f_frsize < ROOM:
        return False
    return _available() >= AVAILABLE


def _available() -> int:
    """In bytes, for this machine or container."""
    fields = Path("/proc/meminfo").read_text().split()
    limits = [file.read_text().strip() for file in map(Path, LIMITS) if file.exists()]
    of_this_container = [int(limit) for limit in limits if limit.isdigit()]
    return min([int(fields[fields.index("MemAvailable:") + 1]) * 1024, *of_this_container])


def _remove_left_behind() -> None:
    """Of runs that were killed."""
    for folder in MEMORY.glob(f"{PREFIX}*") if MEMORY.is_dir() else ():
        if not Path(f"/proc/{folder.name.removeprefix(PREFIX)}").exists():
            shutil.rmtree(folder, ignore_errors=True)


def _run(command: Sequence[str], **variables: str) -> int:
    """Ctrl-C reaches the command by itself, and the end of `make` is passed on: either way it ends
    in its own time."""
    process = subprocess.Popen(command, env={**os.environ, **variables})
    signal.signal(signal.SIGINT, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda number, _: process.send_signal(number))
    return process.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""A number for each process that counts, so that its files are its own and are found again.

prometheus-client names the files by process id: each process that ever ran would leave some, and a
new one with an old id would go on with another's. Here a process takes the lowest number whose lock
is free, so there are only as many files as there were processes at once, and a worker that starts
again goes on counting where the last one ended. The kernel gives the lock back, however it ends.
"""

import errno
import fcntl
import logging
import os
import sys
from contextlib import suppress
from pathlib import Path

from prometheus_client.multiprocess import MultiProcessCollector

logger = logging.getLogger(__name__)

MOST = 1000
KINDS = ("counter", "histogram", "gauge_sum")
# Written with zeros at once: to touch a new page of it while the disk is full would end the process
# with SIGBUS. All series of a kind take a fraction of it.
FILE_BYTES = 2**20


class Slot:
    """The number of this process; a forked child takes its own."""

    def __init__(self, folder: Path) -> None:
        """Makes the folder, if it is not there. Raises `OSError`."""
        folder.mkdir(mode=0o700, exist_ok=True)
        self._folder = folder
        self._lock: int | None = None
        self._number, self._lock = take(folder)
        os.register_at_fork(after_in_child=self._leave)

    def __call__(self) -> int:
        if self._lock is None:
            self._take_own()
        return self._number

    def _leave(self) -> None:
        """The lock is the parent's; the descriptor is only a copy."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _take_own(self) -> None:
        try:
            self._number, self._lock = take(self._folder)
        except OSError as error:
            # It counts into its parent's files: a count may get lost, but no sale fails.
            self._lock = os.open(os.devnull, os.O_RDONLY)
            logger.warning("this process counts with its parent: %s", error.strerror)


def take(folder: Path) -> tuple[int, int]:
    """The lowest free number, and the descriptor that keeps it locked."""
    for number in range(MOST):
        if (lock := _locked(folder, number)) is not None:
            try:
                _make_ready(folder, number)
            except OSError:
                os.close(lock)
                raise
            return number, lock
    raise OSError(errno.EUSERS, "no number is free")


def files_of(folder: Path) -> list[str]:
    """All that was counted; of what a process has now (gauges) only those of running processes."""
    taken: dict[str, bool] = {}
    found = []
    for path in sorted(folder.glob("*.db")):
        number = path.stem.rpartition("_")[2]
        if path.name.startswith("gauge"):
            if number not in taken:
                taken[number] = _is_taken(folder, number)
            if not taken[number]:
                continue
        found.append(str(path))
    return found


def is_in_use(folder: Path) -> bool:
    return any(_is_taken(folder, lock.stem) for lock in folder.glob("*.lock"))


def is_readable(path: str) -> bool:
    """Not after the machine lost its power while it was written, perhaps."""
    try:
        with Path(path).open("rb") as file:
            used = int.from_bytes(file.read(4), sys.byteorder, signed=True)
        # prometheus-client takes such a file for an empty one, and fails when it writes.
        if not 0 <= used <= Path(path).stat().st_size:
            return False
        MultiProcessCollector.merge([path])  # type: ignore[no-untyped-call]
    except Exception:
        return False
    return True


def _locked(folder: Path, number: int | str) -> int | None:
    """None if another process has it, or left it under another account."""
    try:
        lock = os.open(folder / f"{number}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except PermissionError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


def _is_taken(folder: Path, number: str) -> bool:
    lock = _locked(folder, number)
    if lock is None:
        return True
    os.close(lock)
    return False


def _make_ready(folder: Path, number: int) -> None:
    """Only counters go on: what the last process with this number had is over."""
    for kind in KINDS:
        path = folder / f"{kind}_{number}.db"
        if kind.startswith("gauge") or not is_readable(str(path)):
            with suppress(FileNotFoundError):
                path.unlink()
        _fill(path)


def _fill(path: Path) -> None:
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        size = os.fstat(file).st_size
        os.pwrite(file, bytes(max(0, FILE_BYTES - size)), size)
    finally:
        os.close(file)

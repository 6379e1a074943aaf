"""The logs of the processes, each kept short."""

import os
from contextlib import suppress
from pathlib import Path


def rotate(log: Path) -> None:
    if log.exists():
        log.replace(log.with_suffix(".log.1"))


def shorten(log: Path, most: int) -> None:
    """Move the end of a log that is too long to `.log.1`, and truncate the log. Its writers have it
    open for appending, so they continue at its start. A line that is written during the copy is
    lost, and so is the end where there is no space for it: a full disk needs the log's."""
    with suppress(OSError), log.open("r+b") as file:
        length = file.seek(0, os.SEEK_END)
        if length > most:
            file.seek(length - most)
            with suppress(OSError):
                log.with_suffix(".log.1").write_bytes(file.read(most))
            file.truncate(0)

"""The CPU time of processes, as the system counts it."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from django.db import connection

from tests.running import parent_of

TICKS = os.sysconf("SC_CLK_TCK")
# In what follows a process's name in its `stat`, which may have spaces itself.
USER, SYSTEM, OF_ENDED_CHILDREN = 11, 12, slice(13, 15)


def seconds_of(pid: int) -> float:
    """Of the process and those it started, also of those that have ended."""
    return sum(_ticks(process) for process in _family(pid)) / TICKS


def database() -> int:
    """The process that started the connection's own, if the database runs on this machine."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return parent_of(int(cursor.fetchone()[0]))


def _family(pid: int) -> Iterator[int]:
    yield pid
    for child in _children(pid):
        yield from _family(child)


def _children(pid: int) -> list[int]:
    with suppress(OSError):
        return [
            int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        ]
    return []


def _ticks(pid: int) -> int:
    with suppress(OSError):
        counted = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, (counted[USER], counted[SYSTEM], *counted[OF_ENDED_CHILDREN])))
    return 0

"""Reads a file in a program with limits, called from the shop's processes."""

import json
import logging
from collections.abc import Callable
from io import BytesIO
from typing import Any

from allo import confined
from allo.confined import MEGABYTE, Failed, Limits, TooMuch
from allo.web.names import one_line
from inventory.files.records import Record
from inventory.files.tables import Unreadable

logger = logging.getLogger(__name__)

# Rows between two heartbeats.
STEP = 1000


def limits(size: int) -> Limits:
    """For 5 kB at most a second and 100 MB, with the interpreter. A real workbook of 50,000 rows
    has 800 kB or more, for which the limits are ample."""
    share = size / MEGABYTE
    return Limits(
        cpu_seconds=min(0.7 + 20 * share, 30),
        memory=int(min(56 + 200 * share, 320) * MEGABYTE),
        wall_seconds=45,
    )


def read(content: bytes, progress: Callable[[int], None]) -> tuple[str, list[Record]]:
    """A remark on the file, and its rows. Raises `Unreadable`."""
    remark, found = "", []
    allowed = limits(len(content))
    try:
        with confined.running("inventory.files", BytesIO(content), allowed) as lines:
            for line in lines:
                words: Any = json.loads(line)
                if isinstance(words, list):
                    number, *texts = words
                    found.append(Record(number, *map(one_line, texts)))
                    if len(found) % STEP == 0:
                        progress(len(found))
                elif "unreadable" in words:
                    raise Unreadable(words["unreadable"])
                else:
                    remark = words["remark"]
    except TooMuch as error:
        raise Unreadable(
            f"It needs more {error.of} to read than is allowed for its size."
        ) from error
    except Failed as error:
        logger.warning("a file could not be read: %s", error)
        raise Unreadable("It cannot be read.") from error
    return remark, found

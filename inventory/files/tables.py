"""What every kind of file comes down to: tables, whose rows know where a person finds them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

# No honest file has its columns beyond these; cells further to the right are not looked at.
MAX_COLUMNS = 100
# What is kept of a cell: more than any column takes, so that what is too long is seen to be.
MAX_TEXT = 250

Cells = list[str]
# The line of the file as an editor counts it, or the row of the sheet; then its cells.
Row = tuple[int, Cells]


class Unreadable(Exception):
    """Why nothing can be made of a file, in words for the person who sent it."""


@dataclass(frozen=True, slots=True)
class Table:
    """A sheet, or a text read with one delimiter. `rows` reads it from the start at each call."""

    name: str
    rows: Callable[[], Iterator[Row]]
    hidden: bool = False


def text_of(value: object) -> str:
    """A cell as it is shown: no more of it than `MAX_TEXT`."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).replace("\0", "�").strip()[:MAX_TEXT]

"""Tables, read from any kind of file; each row has the line where a person finds it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

# Cells further to the right are ignored: no real file has its columns there.
MAX_COLUMNS = 100
# The most that is kept of a cell: more than any column allows, so that a longer text is refused.
MAX_TEXT = 250

Cells = list[str]
# The line as in an editor, or the row of the sheet; then the cells.
Row = tuple[int, Cells]


class Unreadable(Exception):
    """Why a file cannot be read, in words for the person who sent it."""


@dataclass(frozen=True, slots=True)
class Table:
    """A sheet, or a text read with one delimiter. Each call of `rows` reads it from the start."""

    name: str
    rows: Callable[[], Iterator[Row]]
    hidden: bool = False
    is_text: bool = False


def text_of(value: object) -> str:
    """A cell as text, at most `MAX_TEXT` of it."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).replace("\0", "�").strip()[:MAX_TEXT]

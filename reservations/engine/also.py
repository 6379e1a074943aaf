"""What another app writes in the transaction of a command."""

from typing import Any, NamedTuple


class Also(NamedTuple):
    """A constant statement over one array per column, and one row for it. The rows of a batch share
    the statement. Statements are written in the order of `rank`, best that of their table's locks,
    then of their first rows."""

    sql: str
    row: tuple[Any, ...]
    rank: int = 0

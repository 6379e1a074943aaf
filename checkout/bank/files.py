"""The file of the bank's books."""

import logging
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

log = logging.getLogger("bank")


def opened(path: Path, schema: str) -> sqlite3.Connection:
    """Opens it, with the tables of `schema`. If the file has other tables, another version of Allo
    wrote it: it is copied aside, and new books are begun."""
    books = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
    books.row_factory = sqlite3.Row
    # In WAL mode a killed process loses nothing that was committed.
    books.execute("PRAGMA journal_mode = WAL")
    books.execute("PRAGMA synchronous = NORMAL")
    if (written := _tables(books)) and written != _tables_of(schema):
        _begin_anew(books, path)
    books.executescript(schema)
    return books


def _begin_anew(books: sqlite3.Connection, path: Path) -> None:
    aside = path.with_stem(f"{path.stem}-until-{datetime.now(UTC):%Y%m%d-%H%M%S}")
    # Copied and not renamed, as renaming would separate the file from its log.
    books.execute("VACUUM INTO ?", [str(aside)])
    tables = books.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    books.execute("BEGIN IMMEDIATE")
    for (name,) in tables:
        books.execute(f'DROP TABLE "{name}"')
    books.execute("COMMIT")
    log.warning(
        "The books in %s are of another version of Allo. They are kept as %s, and new ones are"
        " begun: what was opened or paid at this bank before is not known to it any more.",
        path.name,
        aside.name,
    )


def _tables(books: sqlite3.Connection) -> dict[str, str]:
    """How each table and index was made, by its name."""
    return dict(
        books.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    )


def _tables_of(schema: str) -> dict[str, str]:
    books = sqlite3.connect(":memory:")
    books.executescript(schema)
    return _tables(books)

"""Several statements in one round trip to the server.

psycopg would begin a transaction in a round trip of its own, and send each statement by itself. All
that time rows are locked, and each wait passes the GIL on. Here the statements of a trip are sent
together, and there is one wait for all their results.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from hashlib import blake2b
from typing import Any, NamedTuple

from django.db import connection
from psycopg import Connection, DataError, ProgrammingError
from psycopg.abc import PQGen
from psycopg.adapt import Transformer
from psycopg.errors import error_from_result
from psycopg.generators import fetch_many, send
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg.pq.abc import PGresult

Rows = list[tuple[Any, ...]]


class Statement(NamedTuple):
    """SQL with a `%s` for each value, prepared once for each connection. A list is an array, whose
    type the SQL has to name."""

    sql: str
    values: Sequence[Any] = ()


# As in `DATABASES`. Under REPEATABLE READ a transaction that waited for a lock would read stale
# stock.
BEGIN = Statement("BEGIN ISOLATION LEVEL READ COMMITTED")


def run(statements: Sequence[Statement]) -> list[Rows]:
    """The rows of each statement. Begins a transaction if none is open. The first error ends the
    trip; raises `django.db.Error`."""
    if connection.queries_logged:
        connection.queries_log.extend({"sql": each.sql, "time": "0"} for each in statements)
    with connection.wrap_database_errors:
        trip = _Trip(connection.connection)
        begins = trip.pgconn.transaction_status == TransactionStatus.IDLE
        rows = trip.run([BEGIN, *statements] if begins else statements)
    return rows[begins:]


@contextmanager
def unanswered() -> Iterator[None]:
    """What the ORM writes inside is sent together, and waited for once, at the end. Until then it
    is not known how many rows a statement has changed: Django takes it for -1. What is read inside
    is waited for."""
    with connection.wrap_database_errors, connection.connection.pipeline():
        yield


class _Trip:
    def __init__(self, conn: Connection[Any]) -> None:
        self.conn = conn
        self.pgconn = conn.pgconn
        # The names of the statements that this connection has prepared.
        self._prepared: set[bytes] = vars(conn).setdefault("prepared_by_trips", set())
        # What each result belongs to: the name of a statement that is being prepared, or rows.
        self._expected: list[bytes | None] = []
        self._received: list[PGresult] = []

    def run(self, statements: Sequence[Statement]) -> list[Rows]:
        # Before anything is sent, as it may fail.
        values = [_texts(statement) for statement in statements]
        self.pgconn.enter_pipeline_mode()
        try:
            for statement, texts in zip(statements, values, strict=True):
                self._send(statement, texts)
            self.conn.wait(self._receive())
        except BaseException:
            # Lost or interrupted: results that arrive later would be taken for those of others.
            self.conn.close()
            self._rows()  # raises the server's last words, if there are any
            raise
        self.pgconn.exit_pipeline_mode()
        return self._rows()

    def _send(self, statement: Statement, values: list[bytes | None]) -> None:
        name, query, _ = _named(statement.sql)
        if name not in self._prepared and name not in self._expected:
            self.pgconn.send_prepare(name, query)
            self._expected.append(name)
        self.pgconn.send_query_prepared(name, values)
        self._expected.append(None)

    def _receive(self) -> PQGen[None]:
        self.pgconn.pipeline_sync()
        yield from send(self.pgconn)
        for _ in self._expected:
            self._received += yield from fetch_many(self.pgconn)
        yield from fetch_many(self.pgconn)  # the end of the trip

    def _rows(self) -> list[Rows]:
        transformer = Transformer(self.conn)
        rows = []
        for name, result in zip(self._expected, self._received, strict=False):
            if result.status == ExecStatus.FATAL_ERROR:
                raise error_from_result(result)
            if name:
                # It stays prepared, even if the transaction fails later.
                self._prepared.add(name)
            else:
                transformer.set_pgresult(result)
                rows.append(transformer.load_rows(0, result.ntuples, tuple))
        return rows


@lru_cache(maxsize=1024)
def _named(sql: str) -> tuple[bytes, bytes, int]:
    """A name for the statement, its SQL as the server numbers values, and their number."""
    first, *others = sql.split("%s")
    query = first + "".join(f"${n}{part}" for n, part in enumerate(others, 1))
    name = b"trip_" + blake2b(query.encode(), digest_size=12).hexdigest().encode()
    return name, query.encode(), len(others)


def _texts(statement: Statement) -> list[bytes | None]:
    # The server's error would be one of the protocol, which looks like a lost connection.
    if len(statement.values) != _named(statement.sql)[2]:
        raise ProgrammingError(f"{len(statement.values)} values for {statement.sql}")
    return [_text(value) for value in statement.values]


def _text(value: Any) -> bytes | None:
    """The value as the server reads it."""
    if value is None:
        return None
    text = f"{{{','.join(map(_element, value))}}}" if isinstance(value, list) else _plain(value)
    if "\0" in text:
        raise DataError("text cannot contain NUL")
    return text.encode()


def _element(value: Any) -> str:
    """The value inside an array. In quotes only these two characters have a meaning."""
    if value is None:
        return "NULL"
    if isinstance(value, int):
        return str(value)
    return '"' + _plain(value).replace("\\", r"\\").replace('"', r"\"") + '"'


def _plain(value: Any) -> str:
    return rf"\x{value.hex()}" if isinstance(value, bytes) else str(value)

"""The bank's books, in SQLite. They survive restarts and killed processes."""

import json
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from checkout.bank.files import opened

Row = dict[str, Any]

# `seq` is the order in which rows were written. Columns of JSON are listed in `JSON`.
SCHEMA = """
CREATE TABLE IF NOT EXISTS session (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, created INTEGER NOT NULL,
    expires_at INTEGER NOT NULL, status TEXT NOT NULL
        CHECK (status IN ('open', 'complete', 'expired')),
    reference TEXT NOT NULL, email TEXT NOT NULL, lines TEXT NOT NULL, amount INTEGER NOT NULL
        CHECK (amount > 0),
    currency TEXT NOT NULL, manual INTEGER NOT NULL, metadata TEXT NOT NULL,
    intent_metadata TEXT NOT NULL, success_url TEXT NOT NULL, cancel_url TEXT NOT NULL,
    has_customer INTEGER NOT NULL, customer TEXT, intent TEXT, late INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS intent (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, created INTEGER NOT NULL, session TEXT,
    customer TEXT, amount INTEGER NOT NULL CHECK (amount > 0), currency TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN
        ('requires_payment_method', 'requires_action', 'requires_capture', 'succeeded',
         'canceled')),
    manual INTEGER NOT NULL, metadata TEXT NOT NULL, return_url TEXT NOT NULL DEFAULT '',
    charge TEXT, failure TEXT NOT NULL DEFAULT '', cancellation_reason TEXT
);
CREATE INDEX IF NOT EXISTS intent_customer ON intent (customer);
CREATE TABLE IF NOT EXISTS charge (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, created INTEGER NOT NULL,
    intent TEXT NOT NULL, method TEXT NOT NULL, amount INTEGER NOT NULL, currency TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('succeeded', 'failed')),
    captured INTEGER NOT NULL DEFAULT 0 CHECK (captured BETWEEN 0 AND amount),
    released INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS refund (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, created INTEGER NOT NULL,
    intent TEXT NOT NULL, charge TEXT NOT NULL, amount INTEGER NOT NULL CHECK (amount > 0),
    currency TEXT NOT NULL, status TEXT NOT NULL
        CHECK (status IN ('pending', 'succeeded', 'failed')),
    metadata TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS refund_charge ON refund (charge);
CREATE TABLE IF NOT EXISTS dispute (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, created INTEGER NOT NULL,
    intent TEXT NOT NULL, charge TEXT NOT NULL UNIQUE, amount INTEGER NOT NULL,
    currency TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS answer (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, created INTEGER NOT NULL,
    fingerprint TEXT NOT NULL, status INTEGER NOT NULL, body TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS hook (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, created INTEGER NOT NULL,
    event TEXT NOT NULL, type TEXT NOT NULL, body TEXT NOT NULL, due REAL NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0, state TEXT NOT NULL CHECK (state IN
        ('due', 'sent', 'lost', 'given up'))
);
CREATE INDEX IF NOT EXISTS hook_due ON hook (due) WHERE state = 'due';
CREATE TABLE IF NOT EXISTS move (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, created INTEGER NOT NULL,
    intent TEXT NOT NULL, what TEXT NOT NULL, amount INTEGER NOT NULL, currency TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS fault (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, created INTEGER NOT NULL,
    value TEXT NOT NULL
);
"""
PREFIXES = {
    "session": "cs_bank_", "intent": "pi_", "charge": "ch_", "refund": "re_", "dispute": "dp_",
    "answer": "", "hook": "hk_", "move": "mv_", "fault": "",
}  # fmt: skip
JSON = {"lines", "metadata", "intent_metadata", "value"}
KEPT_KEYS_SECONDS = 86_400


class Books:
    """One connection, used by one thread at a time: `with books:` is a transaction."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._depth = 0
        self._db = opened(path, SCHEMA)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """A nested one is part of the outer one."""
        with self._lock:
            if self._db.in_transaction:
                yield
                return
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def add(self, table: str, *, id: str = "", **values: Any) -> Row:  # noqa: A002
        row = {
            "id": id or new_id(PREFIXES[table]),
            "created": int(time.time()),
            **{name: _stored(name, value) for name, value in values.items()},
        }
        columns, places = ", ".join(row), ", ".join(f":{name}" for name in row)
        self._run(f"INSERT INTO {table} ({columns}) VALUES ({places})", row)  # noqa: S608
        return self.get(table, row["id"])

    def change(self, table: str, key: str, **values: Any) -> Row:
        row = {name: _stored(name, value) for name, value in values.items()}
        changes = ", ".join(f"{name} = :{name}" for name in row)
        self._run(f"UPDATE {table} SET {changes} WHERE id = :id", {**row, "id": key})  # noqa: S608
        return self.get(table, key)

    def find(self, table: str, key: str) -> Row | None:
        rows = self.rows(table, id=key)
        return rows[0] if rows else None

    def get(self, table: str, key: str) -> Row:
        row = self.find(table, key)
        if row is None:
            raise LookupError(f"no {table} {key}")
        return row

    def rows(self, table: str, *, limit: int = -1, **values: Any) -> list[Row]:
        """The rows whose columns have these values, the latest first."""
        where = " AND ".join(f"{name} = :{name}" for name in values) or "1"
        sql = f"SELECT * FROM {table} WHERE {where} ORDER BY seq DESC LIMIT {limit}"  # noqa: S608
        with self._lock:
            return [_read(row) for row in self._run(sql, values)]

    def counts(self, table: str, column: str) -> dict[str, int]:
        """How many rows have each value of this column."""
        sql = f"SELECT {column}, count(*) FROM {table} GROUP BY 1 ORDER BY 1"  # noqa: S608
        with self._lock:
            return {row[0]: row[1] for row in self._run(sql, {})}

    def next_hook(self) -> Row | None:
        with self._lock:
            due = self._run("SELECT * FROM hook WHERE state = 'due' ORDER BY due LIMIT 1", {})
            row = due.fetchone()
            return _read(row) if row else None

    def forget_keys(self, older_than: float = 0) -> None:
        self._run("DELETE FROM answer WHERE created <= :then", {"then": time.time() - older_than})

    def set_fault(self, name: str, value: Any) -> None:
        with self.transaction():
            self._run("DELETE FROM fault WHERE id = :id", {"id": name})
            if value:
                self.add("fault", id=name, value=value)

    def fault(self, name: str) -> Any:
        row = self.find("fault", name)
        return row["value"] if row else None

    def faults(self) -> dict[str, Any]:
        return {row["id"]: row["value"] for row in self.rows("fault")}

    def _run(self, sql: str, values: Row) -> sqlite3.Cursor:
        with self._lock:
            return self._db.execute(sql, values)


def new_id(prefix: str) -> str:
    return prefix + secrets.token_hex(12)


def _stored(name: str, value: Any) -> Any:
    return json.dumps(value) if name in JSON else value


def _read(row: sqlite3.Row) -> Row:
    return {key: json.loads(row[key]) if key in JSON else row[key] for key in row.keys()}  # noqa: SIM118

"""What PostgreSQL says of itself, and of the database of this test."""

import os
from urllib.parse import urlsplit

from django.db import connection

WAITING = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'
        AND backend_type = 'client backend'
"""
TRANSACTIONS = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend'
        AND pid != pg_backend_pid() AND xact_start IS NOT NULL
"""
CANCEL = """
    SELECT pg_cancel_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'
        AND backend_type = 'client backend'
"""
ROWS_READ = """
    SELECT sum(seq_tup_read + idx_tup_fetch) FROM pg_stat_xact_user_tables
    WHERE relname LIKE ANY(%s)
"""


def environment_here(**more: str) -> dict[str, str]:
    """For a process that is to work with the database of this test."""
    return environment_of_database(connection.settings_dict["NAME"]) | more


def environment_of_database(name: str) -> dict[str, str]:
    url = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}")
    # As in the tests' own process: a slow machine may take longer than the shop's limit.
    return os.environ | {"DATABASE_URL": url.geturl(), "TRANSACTION_TIMEOUT_MS": "0"}


def somebody_waits() -> bool:
    """Whether a transaction waits for a lock; to be looked at with `wait_for`."""
    return how_many_wait() > 0


def how_many_wait() -> int:
    return _count(WAITING)


def nobody_else_works() -> bool:
    """Whether no other process has a transaction: the locks of a killed one are kept until the
    server notices. To be looked at with `wait_for`."""
    return not _count(TRANSACTIONS)


def _count(question: str) -> int:
    with connection.cursor() as cursor:
        # A transaction would otherwise see again what it saw when it looked first.
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(question)
        return int(cursor.fetchone()[0])


def cancel_whoever_waits() -> None:
    with connection.cursor() as cursor:
        cursor.execute(CANCEL)


def rows_read(*tables: str) -> int:
    """By this transaction so far, of tables whose names are LIKE these."""
    with connection.cursor() as cursor:
        cursor.execute(ROWS_READ, [list(tables)])
        return int(cursor.fetchone()[0])

"""The time limits of statements and transactions, and the exceptions from them."""

from django.conf import settings
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg import sql

# Skips settings that the server does not know: PostgreSQL 16 has no `transaction_timeout`.
LIFT = """
    SELECT set_config(name, '0', true) FROM pg_settings
    WHERE name = ANY(%s)
"""
LONG = ("transaction_timeout", "statement_timeout")
KNOWN = "SELECT name FROM pg_settings WHERE name = ANY(%s)"
HAS = """
    SELECT setconfig FROM pg_db_role_setting AS of_role
    JOIN pg_database ON pg_database.oid = of_role.setdatabase
    WHERE datname = current_database() AND setrole = current_user::regrole
"""
SET = "ALTER ROLE CURRENT_USER IN DATABASE {database} SET {name} = {limit}"


def lift(*more: str) -> None:
    """Removes the time limits of the open transaction, and these more. For long jobs, never where
    shoppers wait for the locks: a process that freezes in it keeps them."""
    assert connection.in_atomic_block
    with connection.cursor() as cursor:
        cursor.execute(LIFT, [[*LONG, *more]])


def keep_with_role(shop: BaseDatabaseWrapper) -> None:
    """Makes the timeouts defaults of the role that `shop` connects as, in this database: a pooler
    may drop those that a connection sets. A role may do this for itself."""
    with shop.cursor() as cursor:
        cursor.execute(KNOWN, [list(settings.TIMEOUTS)])
        known = {name for (name,) in cursor.fetchall()}
        cursor.execute(HAS)
        there = {line for (lines,) in cursor.fetchall() for line in lines}
        for name, limit in settings.TIMEOUTS.items():
            if name in known and f"{name}={limit}" not in there:
                cursor.execute(_default(shop, name, limit))


def _default(shop: BaseDatabaseWrapper, name: str, limit: int) -> sql.Composed:
    return sql.SQL(SET).format(
        database=sql.Identifier(shop.settings_dict["NAME"]),
        name=sql.Identifier(name),
        limit=sql.Literal(f"{limit}"),
    )

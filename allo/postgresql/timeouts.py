"""How long the shop's statements and transactions may last; and what may last longer."""

from django.conf import settings
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg import sql

# What the server does not know is left out: PostgreSQL 16 has no `transaction_timeout`.
LIFT = """
    SELECT set_config(name, '0', true) FROM pg_settings
    WHERE name IN ('transaction_timeout', 'statement_timeout')
"""
KNOWN = "SELECT name FROM pg_settings WHERE name = ANY(%s)"
HAS = """
    SELECT setconfig FROM pg_db_role_setting AS of_role
    JOIN pg_database ON pg_database.oid = of_role.setdatabase
    WHERE datname = current_database() AND setrole = current_user::regrole
"""
SET = "ALTER ROLE CURRENT_USER IN DATABASE {database} SET {name} = {limit}"


def lift() -> None:
    """Lets the transaction that is open last as long as it takes. For what is long by nature, and
    not for what shoppers wait for: a process that freezes meanwhile keeps its locks."""
    assert connection.in_atomic_block
    with connection.cursor() as cursor:
        cursor.execute(LIFT)


def keep_with_role(shop: BaseDatabaseWrapper) -> None:
    """Makes the timeouts defaults of the role that `shop` connects as, in this database: a pooler
    may drop those that a connection asks for. A role may do so for itself, and needs no other."""
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

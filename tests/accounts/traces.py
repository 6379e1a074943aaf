"""Looks for somebody in every table there is."""

from collections.abc import Iterable

from django.db import connection


def tables_with(*marks: str) -> set[str]:
    """The tables in which a row has one of these texts, in any column."""
    found: set[str] = set()
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            likes = " OR ".join(["row::text ILIKE %s"] * len(marks))
            cursor.execute(
                f'SELECT EXISTS (SELECT FROM "{table}" AS row WHERE {likes})',
                [f"%{mark}%" for mark in marks],
            )
            found |= {table} if cursor.fetchone() == (True,) else set()
    return found


def empty(tables: Iterable[str]) -> set[str]:
    """Those that have no row."""
    with connection.cursor() as cursor:
        looks = (f"SELECT '{table}' WHERE NOT EXISTS (SELECT FROM {table})" for table in tables)
        cursor.execute(" UNION ALL ".join(looks))
        return {table for (table,) in cursor.fetchall()}

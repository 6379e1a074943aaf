from datetime import datetime

from django.db import connection


def now() -> datetime:
    """By the database's clock, as are the times of its rows."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        moment: datetime = cursor.fetchone()[0]
    return moment

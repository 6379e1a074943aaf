"""Django's PostgreSQL, but for when the pool asks a connection whether it still lives.

Django asks each time one is taken, which is a round trip before each transaction: a fifth of what
a reservation waits for. One that was in use a moment ago need not be asked. Should it have died
since, the call that has it is told "busy", as it would be had it died a moment later.
"""

import time
from functools import partial
from typing import Any

from django.db.backends.postgresql import base
from psycopg_pool import ConnectionPool

TRUSTED_SECONDS = 1.0


class DatabaseWrapper(base.DatabaseWrapper):
    @property
    def pool(self) -> Any:
        pool = super().pool  # type: ignore[misc]  # its stubs do not know it
        if pool is not None and pool._check is ConnectionPool.check_connection:
            pool._check = partial(check_after_a_rest, pool)
        return pool


def check_after_a_rest(pool: Any, connection: Any) -> None:
    now = time.monotonic()
    if now - vars(connection).get("taken_at", 0.0) > TRUSTED_SECONDS:
        try:
            ConnectionPool.check_connection(connection)
        except Exception:
            # Where one died its neighbours did. Left in the pool they would be tried one by one,
            # with a pause of 1, 2, 4 s after each: whoever comes alone would wait in vain.
            pool.drain()
            raise
    vars(connection)["taken_at"] = now

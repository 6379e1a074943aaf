"""psycopg's pool, with another behaviour while the database is unreachable, and after it is back.

- Reconnection is tried every half second. psycopg's delays of 1, 2 and 4 s would leave a server
  idle that is back after a second.
- After one caller's `timeout` has passed without a connection, all callers are refused at once
  until there is one again. Otherwise each of them would wait for the full timeout.
- A connection is checked only after a second of rest: a check costs a round trip before each
  transaction, a fifth of the time of a reservation. If it died within that second its call gets
  "busy", as it would if the connection died a moment later.
"""

import time
from math import inf
from typing import Any

from psycopg_pool import ConnectionPool, PoolTimeout
from psycopg_pool.base import AttemptWithBackoff

from allo.metrics import counters

# In seconds.
TRUSTED = 1.0
REMEMBERED = 1.0
AT_ONCE = 0.05


class Attempt(AttemptWithBackoff):
    INITIAL_DELAY = 0.1
    LONGEST_DELAY = 0.5

    def update_delay(self, now: float) -> None:
        super().update_delay(now)
        self.delay = min(self.delay, self.LONGEST_DELAY)


class Pool(ConnectionPool[Any]):
    _timed_out_at = -inf

    def getconn(self, timeout: float | None = None) -> Any:
        with counters.POOL_WAIT.time():
            return self._getconn(timeout)

    def _getconn(self, timeout: float | None) -> Any:
        deadline = time.monotonic() + self._patience(timeout)
        try:
            connection = super().getconn(deadline - time.monotonic())
            while not _lives(connection):
                # If one died the others did too: drop them all instead of trying each in turn.
                self.drain()
                self.putconn(connection)
                connection = super().getconn(deadline - time.monotonic())
        except PoolTimeout:
            self._timed_out_at = time.monotonic()
            raise
        self._timed_out_at = -inf
        vars(connection)["taken_at"] = time.monotonic()
        return connection

    def leave_server(self) -> None:
        """It does not answer: for a moment callers are refused at once, and none gets one of the
        connections that are there."""
        self._timed_out_at = time.monotonic()
        self.drain()

    def _patience(self, timeout: float | None) -> float:
        patience = self.timeout if timeout is None else timeout
        away = time.monotonic() - self._timed_out_at < REMEMBERED
        return min(patience, AT_ONCE) if away else patience

    def _add_connection(self, attempt: AttemptWithBackoff | None, growing: bool = False) -> None:
        super()._add_connection(attempt or Attempt(timeout=self.reconnect_timeout), growing)

    def reconnect_failed(self) -> None:
        """Tries once more if callers are waiting; psycopg would wait for the next caller."""
        with self._lock:
            if self._waiting:
                self._maybe_grow_pool()


def _lives(connection: Any) -> bool:
    if time.monotonic() - vars(connection).get("taken_at", -inf) < TRUSTED:
        return not connection.closed
    try:
        ConnectionPool.check_connection(connection)
    except Exception:
        return False
    return True

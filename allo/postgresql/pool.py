"""psycopg's pool, but for what happens while the database is away, and when it is back.

- It is tried again every half second: psycopg waits for 1, 2, 4 s, in which a server that is back
  after a second stands idle.
- Who could not have a connection in `timeout` is refused, and with them at once everybody who asks
  before one is there again: otherwise a thread that asks twice, or a queue, would wait once more.
- A connection is asked whether it still lives only after a rest: that is a round trip before each
  transaction, a fifth of what a reservation waits for. Should it have died within that second, the
  call that has it is told "busy", as it would be had it died a moment later.
"""

import time
from math import inf
from typing import Any

from psycopg_pool import ConnectionPool, PoolTimeout
from psycopg_pool.base import AttemptWithBackoff

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
        deadline = time.monotonic() + self._patience(timeout)
        try:
            connection = super().getconn(deadline - time.monotonic())
            while not _lives(connection):
                # Where one died its neighbours did; left in the pool they would be tried in turn.
                self.drain()
                self.putconn(connection)
                connection = super().getconn(deadline - time.monotonic())
        except PoolTimeout:
            self._timed_out_at = time.monotonic()
            raise
        self._timed_out_at = -inf
        vars(connection)["taken_at"] = time.monotonic()
        return connection

    def _patience(self, timeout: float | None) -> float:
        patience = self.timeout if timeout is None else timeout
        away = time.monotonic() - self._timed_out_at < REMEMBERED
        return min(patience, AT_ONCE) if away else patience

    def _add_connection(self, attempt: AttemptWithBackoff | None, growing: bool = False) -> None:
        super()._add_connection(attempt or Attempt(timeout=self.reconnect_timeout), growing)

    def reconnect_failed(self) -> None:
        """One more, if anybody is waiting: only the next who asks would have it tried again."""
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

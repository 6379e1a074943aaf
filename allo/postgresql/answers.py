"""How long a caller waits for PostgreSQL's answer.

The server's own limits are of no use while it is frozen, and none of them ends a commit that waits
for a synchronous standby. So after `ANSWER_TIMEOUT_MS` the server is looked at over a second
connection. If it answers there, and no commit waits for a standby, it only takes its time, and its
own limits hold. Else the connection is given up, which is `busy` to the caller. The commit may be
done later: nothing is said about it, and a retry with the same key finds out.

The statement is not cancelled: a commit whose wait for the standby is cancelled is done on this
server alone, and reported as if it were done on both.
"""

import logging
import time
from contextlib import closing
from math import inf
from typing import Any

import psycopg
from django.conf import settings
from psycopg.abc import PQGen
from psycopg.conninfo import make_conninfo
from psycopg.errors import _WaitTimeout

logger = logging.getLogger(__name__)

# In seconds: for the second connection, and for its answer; and between looks at the standby.
LOOK, EVERY = 2, 1.0
# psycopg's own, after which it looks for signals.
INTERVAL = 0.1

# Every commit waits for a moment, hence `age`. A pooler's connections have other numbers than the
# server's processes; then any of the shop's processes counts.
COMMIT_WAITS = """
    SELECT EXISTS (
        SELECT FROM pg_stat_activity
        WHERE usename = current_user AND wait_event = 'SyncRep'
        AND state_change < clock_timestamp() - make_interval(secs => %(age)s)
        AND (pid = %(pid)s OR NOT EXISTS (
            SELECT FROM pg_stat_activity WHERE pid = %(pid)s AND usename = current_user
        ))
    )
"""
COMMITS_WAIT = "commits wait for a standby"
# When this process last saw that commits wait for a standby (`time.monotonic`).
_commits_wait_since = -inf


class NoAnswer(psycopg.OperationalError):
    """What was sent may be done, now or later."""


class Connection(psycopg.Connection[Any]):
    """Gives up a server that does not answer."""

    def wait(
        self, gen: PQGen[Any], interval: float = INTERVAL, timeout: float | None = None
    ) -> Any:
        if timeout is not None:
            return super().wait(gen, interval, timeout)
        while True:
            try:
                return super().wait(gen, interval, settings.ANSWER_TIMEOUT_MS / 1000 or None)
            except _WaitTimeout:
                self._look()

    def _look(self) -> None:
        """Raises `NoAnswer`, unless the server only takes its time."""
        if found := _silence(self):
            self.close()
            logger.warning("PostgreSQL: %s", found)
            raise NoAnswer(found)


class _Look(psycopg.Connection[Any]):
    def wait(
        self, gen: PQGen[Any], interval: float = INTERVAL, timeout: float | None = LOOK
    ) -> Any:
        return super().wait(gen, interval, timeout)


def _silence(connection: Connection) -> str:
    """Why there is no answer; empty if the server only takes its time."""
    info = connection.info
    # The same server, where the address names several.
    there = make_conninfo(
        info.dsn, password=info.password, host=info.host, hostaddr=info.hostaddr or None,
        port=info.port, connect_timeout=LOOK,
    )  # fmt: skip
    try:
        with closing(_Look.connect(there, autocommit=True)) as look:
            waits = commits_wait(look, info.backend_pid)
    except psycopg.Error as error:
        if pool := getattr(connection, "_pool", None):
            pool.leave_server()
        return f"no answer, and none to a second connection ({type(error).__name__})"
    return _remember() if waits else ""


def _remember() -> str:
    global _commits_wait_since  # noqa: PLW0603 - of the process
    _commits_wait_since = time.monotonic()
    return COMMITS_WAIT


def commits_wait(connection: psycopg.Connection[Any], pid: int = 0) -> bool:
    """Whether one has waited for a standby for long: that of a process of the server, or any."""
    given = {"pid": pid, "age": settings.ANSWER_TIMEOUT_MS / 2000}
    (waits,) = connection.execute(COMMIT_WAITS, given).fetchone() or (False,)
    return bool(waits)


def before_transaction(connection: psycopg.Connection[Any]) -> None:
    """Raises `NoAnswer` while commits wait for a standby: one more would wait too, and its process
    in PostgreSQL with it, until no connection is left for those who only read."""
    global _commits_wait_since  # noqa: PLW0603 - of the process
    if _commits_wait_since == -inf:
        return
    if time.monotonic() - _commits_wait_since > EVERY:
        if not commits_wait(connection):
            _commits_wait_since = -inf
            return
        _remember()
    raise NoAnswer(COMMITS_WAIT)

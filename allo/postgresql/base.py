"""Django's PostgreSQL backend with the shop's pool, a transaction timeout, and a reaction to
read-only servers and full disks."""

import time
from functools import cached_property
from math import inf
from types import TracebackType
from typing import Any

from django.db.backends.base.base import NO_DB_ALIAS
from django.db.backends.postgresql import base
from django.db.utils import DatabaseErrorWrapper
from psycopg import IsolationLevel

from allo.postgresql.answers import Connection, before_transaction
from allo.postgresql.faults import READ_ONLY, Fault, fault_of, sqlstate_of
from allo.postgresql.pool import Pool

# PostgreSQL 17
KNOWS_TRANSACTION_TIMEOUT = 170_000
LIMIT = "SELECT set_config('transaction_timeout', %s, false)"

# When a write of this process last failed for lack of disk space (`time.monotonic`).
storage_failed_at = -inf


class DatabaseWrapper(base.DatabaseWrapper):
    @property
    def pool(self) -> Any:
        options = self.settings_dict["OPTIONS"].get("pool")
        if self.alias == NO_DB_ALIAS or not options:
            return None
        pools: dict[str, Pool] = self._connection_pools  # type: ignore[attr-defined]
        if self.alias not in pools:
            kwargs = {**self.get_connection_params(), "autocommit": True}
            configure: Any = self._configure_connection
            pool = Pool(
                kwargs=kwargs, connection_class=Connection, open=False, configure=configure,
                **options,
            )  # fmt: skip
            # Several threads may get here at once; only one sets it.
            pools.setdefault(self.alias, pool)
        return pools[self.alias]

    @cached_property
    def wrap_database_errors(self) -> "ErrorWrapper":
        return ErrorWrapper(self)

    def get_connection_params(self) -> dict[str, Any]:
        params = super().get_connection_params()
        params.pop("transaction_timeout", None)
        return params

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        if self.pool:
            return super().get_new_connection(conn_params)
        connection = Connection.connect(**conn_params)
        level = self.settings_dict["OPTIONS"].get("isolation_level", IsolationLevel.READ_COMMITTED)
        self.isolation_level = connection.isolation_level = level
        return connection

    def _set_autocommit(self, autocommit: bool) -> None:
        with self.wrap_database_errors:
            if not autocommit:
                before_transaction(self.connection)
            self.connection.autocommit = autocommit

    def _configure_connection(self, connection: Any) -> bool:
        """Sets the timeout after connecting: an older server refuses connections whose `options`
        name a setting that it does not know."""
        commit: bool = super()._configure_connection(connection)  # type: ignore[misc]
        limit = self.settings_dict["OPTIONS"].get("transaction_timeout")
        if limit is None or connection.info.server_version < KNOWS_TRANSACTION_TIMEOUT:
            return commit
        connection.execute(LIMIT, [f"{limit}"])
        return True

    def leave_server(self) -> None:
        """Closes this connection and all idle ones of the pool."""
        if self.connection is not None:
            self.connection.close()
        if self.pool:
            self.pool.drain()


class ErrorWrapper(DatabaseErrorWrapper):
    """Django's wrapper, through which every database error passes."""

    def __init__(self, wrapper: DatabaseWrapper) -> None:
        super().__init__(wrapper)
        self.wrapper = wrapper

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if exc_value is not None:
            _look_at(self.wrapper, exc_value)
        super().__exit__(exc_type, exc_value, traceback)


def _look_at(wrapper: DatabaseWrapper, error: BaseException) -> None:
    if sqlstate_of(error) == READ_ONLY:
        # This server is no longer the primary; a new connection may reach the new one.
        wrapper.leave_server()
    if fault_of(error) is Fault.STORAGE:
        global storage_failed_at  # noqa: PLW0603 - of the process, for `allo.site.health`
        storage_failed_at = time.monotonic()

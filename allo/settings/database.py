"""PostgreSQL: the role that the shop connects as, and how long it waits."""

from django.core.exceptions import ImproperlyConfigured
from psycopg import IsolationLevel

from allo.postgresql.parameters import merged
from allo.settings.environment import AS_OWNER, env

_database_url = env.str("DATABASE_URL", default="postgres:///allo")
SHOP_DATABASE = env.db_url_config(_database_url)
SHOP_ROLE = SHOP_DATABASE["USER"]
# Set only for the owner's commands: see `allo.settings.environment`.
_database = env.db_url_config(env.str("MIGRATION_DATABASE_URL", default="") or _database_url)

LOCK_TIMEOUT_MS = env.int("LOCK_TIMEOUT_MS", default=2000)
TRANSACTION_TIMEOUT_MS = env.int(
    "TRANSACTION_TIMEOUT_MS", default=max(3000, LOCK_TIMEOUT_MS + 1000)
)
if 0 < TRANSACTION_TIMEOUT_MS <= LOCK_TIMEOUT_MS:
    raise ImproperlyConfigured(
        f"TRANSACTION_TIMEOUT_MS is {TRANSACTION_TIMEOUT_MS}: a transaction that waits for a lock,"
        f" for LOCK_TIMEOUT_MS ({LOCK_TIMEOUT_MS}) at the most, needs longer than that."
    )
# After so long a silence a second connection finds out whether PostgreSQL is there: see
# `allo.postgresql.answers`. The owner's commands wait as long as it takes.
ANSWER_TIMEOUT_MS = 0 if AS_OWNER else env.int("ANSWER_TIMEOUT_MS", default=3000)
# By their names in PostgreSQL, in milliseconds. A lock that is not free in time raises `Busy`; a
# client that froze keeps its locks for one transaction timeout at most.
TIMEOUTS = {
    "lock_timeout": LOCK_TIMEOUT_MS,
    "statement_timeout": env.int("STATEMENT_TIMEOUT_MS", default=15000),
    "idle_in_transaction_session_timeout": 10000,
    "transaction_timeout": TRANSACTION_TIMEOUT_MS,
}
_timeouts = TIMEOUTS | ({"statement_timeout": 0, "transaction_timeout": 0} if AS_OWNER else {})
_transaction_timeout = _timeouts.pop("transaction_timeout")

_pool_size = env.int("DATABASE_POOL_SIZE", default=0)
_pool = {
    "min_size": 1,
    "max_size": _pool_size,
    # In seconds: how long a caller waits for a connection before it is refused, and how long a lost
    # one is retried before the pool waits for the next caller.
    "timeout": 5,
    "reconnect_timeout": 5,
}
_options = merged(_database.get("OPTIONS", {}), _timeouts)

DATABASES = {
    "default": {
        **_database,
        "ENGINE": "allo.postgresql",
        "CONN_MAX_AGE": 0,
        # Behind pgbouncer the next part of a result may be asked of another server process.
        "DISABLE_SERVER_SIDE_CURSORS": True,
        "OPTIONS": {
            **_options,
            # Under REPEATABLE READ a transaction that waited for a lock would read stale stock.
            "isolation_level": IsolationLevel.READ_COMMITTED,
            # Set after connecting, if the server knows it and DATABASE_URL does not set it.
            "transaction_timeout": (
                None if "transaction_timeout" in _options["options"] else _transaction_timeout
            ),
            **({"pool": _pool} if _pool_size else {}),
        },
    }
}

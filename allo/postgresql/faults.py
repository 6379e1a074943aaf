"""What a failed statement means for its caller, decided in one place by SQLSTATE.

The class of an exception is not enough: a read-only server and a transaction timeout are both an
InternalError; a lock that was not free, a full disk and a lost connection are all an
OperationalError.
"""

from enum import Enum

import psycopg
from psycopg.errors import PipelineAborted


class Fault(Enum):
    """A failure that the request did not cause. Nothing was changed, or everything was and then the
    connection was lost: either way the same request may be sent again."""

    BUSY = "busy"  # retry in a moment
    STORAGE = "storage"  # retry when there is disk space again: the server cannot write


LOCK_NOT_AVAILABLE, DEADLOCK = "55P03", "40P01"
READ_ONLY = "25006"

# These concern locked rows; all others concern the server or the connection.
LOCKED = {LOCK_NOT_AVAILABLE, DEADLOCK}
BUSY = LOCKED | {
    "40001",  # could not be serialized
    READ_ONLY,  # read-only: a primary that was demoted
    "25P03",  # idle in a transaction for too long
    "25P04",  # `transaction_timeout`
    "53000", "53200", "53300",  # short of resources, of memory, of connections
    # `statement_timeout`, or pg_cancel_backend: rolled back, mostly because the server is
    # overloaded. It is logged, as it may also be a bad plan.
    "57014",
    "57P01", "57P02", "57P03", "57P05",  # shut down, crashed, starting, idle for too long
}  # fmt: skip
CONNECTION = "08"
# A full disk, or one that fails. Not 53400 (a configured limit): that statement would fail every
# time, which is a bug.
STORAGE = {"53100", "58030"}


def fault_of(error: BaseException | None) -> Fault | None:
    """None for errors that are not the database's, and for bugs in what was sent to it."""
    cause = _cause(error)
    if cause is None:
        return None
    if (state := cause.sqlstate) is None:
        return Fault.BUSY if _is_lost(cause) else None
    if state in STORAGE:
        return Fault.STORAGE
    return Fault.BUSY if state in BUSY or state.startswith(CONNECTION) else None


def is_locked(error: BaseException) -> bool:
    """Whether a row's lock was not free in time."""
    return sqlstate_of(error) in LOCKED


def sqlstate_of(error: BaseException | None) -> str | None:
    cause = _cause(error)
    return cause.sqlstate if cause else None


def name_of(error: BaseException) -> str:
    """For the log: class and SQLSTATE, without the message, in which PostgreSQL may quote rows."""
    cause = _cause(error)
    if cause is None:
        return type(error).__name__
    return f"{type(cause).__name__} ({cause.sqlstate or 'no SQLSTATE'})"


def _cause(error: BaseException | None) -> psycopg.Error | None:
    """psycopg's exception, the cause of Django's exception of the same name."""
    if error is not None and not isinstance(error, psycopg.Error):
        error = error.__cause__
    return error if isinstance(error, psycopg.Error) else None


def _is_lost(cause: psycopg.Error) -> bool:
    """An error without SQLSTATE comes from the client. For a connection that is lost, or could not
    be opened, psycopg raises this class."""
    return isinstance(cause, psycopg.OperationalError) and not isinstance(cause, PipelineAborted)

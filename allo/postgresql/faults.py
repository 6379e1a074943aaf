"""What a failed statement means for whoever waits for it: decided here, by SQLSTATE, for all.

The class of an exception says too little: a read-only server and a transaction that was ended for
its length are an InternalError, and a lock that was not free, a full disk and a lost connection are
all an OperationalError.
"""

from enum import Enum

import psycopg
from psycopg.errors import PipelineAborted


class Fault(Enum):
    """What is no fault of the request: nothing happened, or all of it did before a connection was
    lost, and either way the same request may be sent again."""

    BUSY = "busy"  # in a moment
    STORAGE = "storage"  # when somebody has made room: the server cannot write


LOCK_NOT_AVAILABLE, DEADLOCK = "55P03", "40P01"
READ_ONLY = "25006"

# About the rows that were waited for; all the others are about the server or the connection.
LOCKED = {LOCK_NOT_AVAILABLE, DEADLOCK}
BUSY = LOCKED | {
    "40001",  # could not be serialized
    READ_ONLY,  # a primary that was demoted
    "25P03",  # idle in a transaction for too long
    "25P04",  # a transaction that was ended for its length
    "53000", "53200", "53300",  # short of resources, of memory, of connections
    # By `statement_timeout`, or by somebody's pg_cancel_backend: undone as a whole, and mostly
    # because the server has too much to do. The log has it, as it may also be a bad plan.
    "57014",
    "57P01", "57P02", "57P03", "57P05",  # shut down, crashed, starting, idle for too long
}  # fmt: skip
CONNECTION = "08"
# A full disk, and one that fails. Not 53400: a limit that somebody set is met by that statement
# again and again, which is a mistake of ours.
STORAGE = {"53100", "58030"}


def fault_of(error: BaseException | None) -> Fault | None:
    """None for what is not the database's, or a mistake in what was sent to it."""
    cause = _cause(error)
    if cause is None:
        return None
    if (state := cause.sqlstate) is None:
        return Fault.BUSY if _is_lost(cause) else None
    if state in STORAGE:
        return Fault.STORAGE
    return Fault.BUSY if state in BUSY or state.startswith(CONNECTION) else None


def is_locked(error: BaseException) -> bool:
    """Whether somebody else sat on a row that was wanted."""
    return sqlstate_of(error) in LOCKED


def sqlstate_of(error: BaseException | None) -> str | None:
    cause = _cause(error)
    return cause.sqlstate if cause else None


def name_of(error: BaseException) -> str:
    """Without the detail, in which PostgreSQL quotes whole rows: holders are nobody's business."""
    cause = _cause(error)
    if cause is None:
        return type(error).__name__
    return f"{type(cause).__name__} ({cause.sqlstate or 'no SQLSTATE'})"


def _cause(error: BaseException | None) -> psycopg.Error | None:
    """What psycopg raised, behind Django's exception of the same name."""
    if error is not None and not isinstance(error, psycopg.Error):
        error = error.__cause__
    return error if isinstance(error, psycopg.Error) else None


def _is_lost(cause: psycopg.Error) -> bool:
    """Without SQLSTATE it is the client that complains. Of a connection that it lost, or could not
    have, it does so by this class."""
    return isinstance(cause, psycopg.OperationalError) and not isinstance(cause, PipelineAborted)

"""Counts each error of the shop, and reports it to the server of SENTRY_DSN, if that is set.

A report has where in the code an error arose and its class, and nothing of what it was about: not
its text, in which a library may quote what a client sent, no variables, no address, no header. The
text is in the shop's own log, where the report's `request_id` leads.
"""

import atexit
import logging
import os
import time
from collections import deque
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from django.conf import settings

from allo import request_id
from allo.metrics import counters

if TYPE_CHECKING:
    from sentry_sdk import Client

# Of a process. What breaks for all shoppers at once is understood after a few.
MOST_PER_MINUTE = 30
END_SECONDS = 2.0
# Loggers whose words are the code's own also where they have no values to fill in.
OURS = ("allo", "catalog", "checkout", "inventory", "reservations")
# In `extra`: an error whose text must not be in the log, and whose place is reported.
CAUSE = "reported_cause"
SENT = {
    "event_id", "timestamp", "level", "logger", "logentry", "exception", "tags", "platform",
    "environment", "server_name", "sdk",
}  # fmt: skip


class Reporter(logging.Handler):
    """Comes before other handlers, whose filters replace a record's words."""

    def __init__(self, level: int = logging.ERROR) -> None:
        super().__init__(level)
        self._reported: deque[float] = deque(maxlen=MOST_PER_MINUTE)

    def emit(self, record: logging.LogRecord) -> None:
        # The reporter's own troubles would be reported without end.
        if record.name.startswith(("sentry_sdk", "urllib3")):
            return
        counters.ERRORS.inc()
        if settings.SENTRY_DSN and self._may_report():
            try:
                sender = client(settings.SENTRY_DSN)
                sender.capture_event(event_of(record, sender.options))
            except Exception:
                self.handleError(record)

    def _may_report(self) -> bool:
        """Called by one thread at a time: `logging` locks each handler."""
        now = time.monotonic()
        if len(self._reported) == MOST_PER_MINUTE and now - self._reported[0] < 60:
            return False
        self._reported.append(now)
        return True


def report_of(logger: str) -> None:
    """Adds what this logger says, which does not pass it on to others."""
    logging.getLogger(logger).handlers.insert(0, Reporter())


@lru_cache(maxsize=1)
def client(dsn: str) -> "Client":
    """Sends from a thread of its own. Imported only where there is something to report."""
    from sentry_sdk import Client  # noqa: PLC0415

    return Client(
        dsn=dsn,
        environment="production" if settings.PRODUCTION else "development",
        # These would add requests, variables and queries, and replace functions of libraries.
        default_integrations=False,
        auto_enabling_integrations=False,
        include_local_variables=False,
        send_client_reports=False,
        max_breadcrumbs=0,
        before_send=_only_ours,
    )


# What waits in the parent's is sent by the parent.
os.register_at_fork(after_in_child=client.cache_clear)


def end() -> None:
    """Sends what waits, at the end of the process."""
    if client.cache_info().currsize:
        client(settings.SENTRY_DSN).close(timeout=END_SECONDS)


atexit.register(end)


def event_of(record: logging.LogRecord, options: dict[str, Any]) -> Any:
    event: dict[str, Any] = {
        "level": "error",
        "logger": record.name,
        "logentry": {"message": _words(record)},
        "tags": {"request_id": request_id.current()},
    }
    if error := vars(record).get(CAUSE) or (record.exc_info and record.exc_info[1]):
        event["exception"] = {"values": _exceptions(error, options)}
    return event


def _words(record: logging.LogRecord) -> str:
    """The code's own, before values are filled in."""
    is_own = record.args or record.name.partition(".")[0] in OURS
    if is_own and isinstance(record.msg, str):
        return record.msg
    return f"{record.name}, line {record.lineno} of {record.filename}"


def _exceptions(error: BaseException, options: dict[str, Any]) -> list[Any]:
    from sentry_sdk.utils import exceptions_from_error_tuple  # noqa: PLC0415

    found = exceptions_from_error_tuple((type(error), error, error.__traceback__), options)
    for exception in found:
        exception["value"] = ""
        for frame in exception.get("stacktrace", {}).get("frames", ()):
            frame.pop("vars", None)
    return found


def _only_ours(event: Any, _hint: Any) -> Any:
    return {name: value for name, value in event.items() if name in SENT}

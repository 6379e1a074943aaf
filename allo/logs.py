"""How long a line in a log may be, and what is not in it."""

import logging
import re
from collections.abc import Iterator
from traceback import format_exception_only
from typing import Any

from allo import request_id
from allo.web.names import CONTROLS, UNREAD

# A line may contain what a client sent; a header can be 8 kB long.
LONGEST = 200
# Signed links carry them in their query: a key opens an order or an account, a place or a ticket of
# a waiting room is its shopper's.
SECRETS = re.compile(r"\b(key|place|ticket)=[^\s&\"'<>]+")

_FORMATTER = logging.Formatter()


class OneLine(logging.Filter):
    """Errors of clients become one short line without a traceback, since there can be many. Errors
    of the shop are logged with their traceback, without what PostgreSQL says of rows. Neither has
    what a signed link carries, nor a line that somebody else wrote."""

    def filter(self, record: logging.LogRecord) -> bool:
        is_clients = _is_clients_fault(record)
        if is_clients:
            record.exc_info = record.exc_text = None
        if record.exc_info:
            _leave_out_rows(record, record.exc_info)
            _escape_words(record, record.exc_info)
        message = record.getMessage()
        shown = escaped(SECRETS.sub(r"\1=…", message).rstrip())
        if is_clients and len(shown) > LONGEST:
            shown = f"{shown[: LONGEST - 1]}…"
        if shown != message:
            record.msg, record.args = shown, None
        return True


class WithRequestId(logging.Filter):
    """Adds `request_id` to each line: all lines of a request have the same."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request_id.current()
        return True


def escaped(text: str) -> str:
    """Without ends of lines, after which a text could go on as if the shop had written it, and
    other characters that change how a line is shown."""
    for unseen in (CONTROLS, UNREAD):
        text = unseen.sub(lambda found: ascii(found[0])[1:-1], text)
    return text


def _is_clients_fault(record: logging.LogRecord) -> bool:
    if record.name in {"django.request", "gunicorn.error"}:
        return record.levelno < logging.ERROR
    return record.name.startswith("django.security.")


def _leave_out_rows(record: logging.LogRecord, exc_info: Any) -> None:
    """The text of PostgreSQL's errors quotes rows. Others repeat it: Django's error of the same
    name, and Celery in its own message."""
    for error in _chain(exc_info[1]):
        if (state := getattr(error, "sqlstate", None)) and (text := str(error)):
            brief = ", ".join(filter(None, (f"SQLSTATE {state}", error.diag.constraint_name)))
            trace = record.exc_text or _FORMATTER.formatException(exc_info)
            message = record.getMessage().replace(text, brief).replace(repr(text), brief)
            record.exc_text, record.msg, record.args = trace.replace(text, brief), message, None


def _escape_words(record: logging.LogRecord, exc_info: Any) -> None:
    """In the traceback: a library's error may quote what a client sent."""
    trace = record.exc_text or _FORMATTER.formatException(exc_info)
    for error in _chain(exc_info[1]):
        words = "".join(format_exception_only(error)).rstrip()
        trace = trace.replace(words, escaped(words))
    record.exc_text = trace


def _chain(error: BaseException | None) -> Iterator[Any]:
    """The error, and all errors that led to it."""
    waiting, met = [error], set[int]()
    while waiting:
        one = waiting.pop()
        if one is not None and id(one) not in met:
            met.add(id(one))
            yield one
            waiting += [one.__cause__, one.__context__]

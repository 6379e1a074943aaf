"""How long a line in a log may be, and what is not in it."""

import logging
import re

from allo import request_id

# A line may contain what a client sent; a header can be 8 kB long.
LONGEST = 200
# Signed links carry them in their query: a key opens an order or an account, a place or a ticket of
# a waiting room is its shopper's.
SECRETS = re.compile(r"\b(key|place|ticket)=[^\s&\"'<>]+")


class OneLine(logging.Filter):
    """Errors of clients become one short line without a traceback, since there can be many. Errors
    of the shop are logged whole. Neither has what a signed link carries."""

    def filter(self, record: logging.LogRecord) -> bool:
        if _is_clients_fault(record):
            message = record.getMessage()
            record.msg = message if len(message) <= LONGEST else f"{message[: LONGEST - 1]}…"
            record.args = record.exc_info = record.exc_text = None
        if SECRETS.search(message := record.getMessage()):
            record.msg, record.args = SECRETS.sub(r"\1=…", message), None
        return True


class WithRequestId(logging.Filter):
    """Adds `request_id` to each line: all lines of a request have the same."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request_id.current()
        return True


def _is_clients_fault(record: logging.LogRecord) -> bool:
    if record.name in {"django.request", "gunicorn.error"}:
        return record.levelno < logging.ERROR
    return record.name.startswith("django.security.")

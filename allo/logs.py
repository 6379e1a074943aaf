"""How long a line in a log may be, and what is not in it."""

import logging
import re

# A line may contain what a client sent; a header can be 8 kB long.
LONGEST = 200
# Signed links carry it in their query, and open an order or an account.
KEY = re.compile(r"\bkey=[^\s&\"'<>]+")


class OneLine(logging.Filter):
    """Errors of clients become one short line without a traceback, since there can be many. Errors
    of the shop are logged whole. Neither has the key of a signed link."""

    def filter(self, record: logging.LogRecord) -> bool:
        if _is_clients_fault(record):
            message = record.getMessage()
            record.msg = message if len(message) <= LONGEST else f"{message[: LONGEST - 1]}…"
            record.args = record.exc_info = record.exc_text = None
        if "key=" in (message := record.getMessage()):
            record.msg, record.args = KEY.sub("key=…", message), None
        return True


def _is_clients_fault(record: logging.LogRecord) -> bool:
    if record.name in {"django.request", "gunicorn.error"}:
        return record.levelno < logging.ERROR
    return record.name.startswith("django.security.")

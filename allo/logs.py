"""What is kept of a line in a log."""

import logging

# Of what a client sent; one of its headers can be 8 kB long.
LONGEST = 200


class OneLine(logging.Filter):
    """What a client did wrong is one short line without a traceback: clients can do much wrong.
    What the shop did wrong is kept whole."""

    def filter(self, record: logging.LogRecord) -> bool:
        if _is_clients_fault(record):
            message = record.getMessage()
            record.msg = message if len(message) <= LONGEST else f"{message[: LONGEST - 1]}…"
            record.args = record.exc_info = record.exc_text = None
        return True


def _is_clients_fault(record: logging.LogRecord) -> bool:
    if record.name in {"django.request", "gunicorn.error"}:
        return record.levelno < logging.ERROR
    return record.name.startswith("django.security.")

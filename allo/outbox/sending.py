"""Sends what is due, outside of any transaction."""

import logging
import time
from math import inf
from smtplib import SMTPServerDisconnected
from threading import BoundedSemaphore

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from allo.metrics import counters
from allo.outbox import letters
from allo.outbox.models import Message, pause_after

logger = logging.getLogger(__name__)

AT_ONCE = 100
# How long a run begins to send, in seconds. A try may take `EMAIL_TIMEOUT` and more.
TURN = 20.0
# Of the worker's threads. Each new message queues a run, and the clock's other tasks need some
# threads too, however slow the mail server is.
THREADS = 2
# In seconds.
REST = 30.0

# When this process last did not reach the mail server (`time.monotonic`).
unreached_at = -inf
_sending = BoundedSemaphore(THREADS)


class Unreachable(Exception):
    """The mail server takes no connection, or does not answer."""


def send_due() -> int:
    """Sends up to `AT_ONCE` messages until the run's turn is over, and leaves the rest to the next
    run; returns how many were sent. A message that fails waits, and the others go on. In a process
    in which `THREADS` runs are under way, nothing."""
    if not _sending.acquire(blocking=False):
        return 0
    try:
        return _send_some()
    finally:
        _sending.release()


def _send_some() -> int:
    """A server that cannot be reached is left alone for `REST`."""
    sent, ends = 0, time.monotonic() + TURN
    for _ in range(AT_ONCE):
        now = time.monotonic()
        if now > ends or now - unreached_at < REST or not (message := _lease()):
            break
        try:
            _send(message)
        except Exception as error:
            _put_off(message, error)
            counters.MAILS.labels("failed").inc()
        else:
            _mark_sent(message)
            counters.MAILS.labels("sent").inc()
            sent += 1
    return sent


@transaction.atomic
def _lease() -> Message | None:
    # Committed before the message is sent, so that only one of two workers sends it; each takes a
    # message that no other has locked.
    message = Message.objects.due().select_for_update(skip_locked=True).first()
    if message:
        Message.objects.filter(pk=message.pk).update(claimed_at=Now(), tries=F("tries") + 1)
        message.refresh_from_db(fields=["claimed_at", "tries"])
    return message


def _send(message: Message) -> None:
    letter = letters.letter(message)
    letters.keep(message, letter)
    server = letter.get_connection()
    try:
        server.open()
    except OSError as error:
        raise Unreachable from error
    with server:
        try:
            letter.send()
        except (SMTPServerDisconnected, TimeoutError) as error:
            raise Unreachable from error


def _mark_sent(message: Message) -> None:
    """Whoever has the lease by now: it was sent."""
    unsent = Message.objects.filter(pk=message.pk, sent_at=None)
    unsent.update(sent_at=Now(), claimed_at=None, context={}, error="")


def _put_off(message: Message, error: Exception) -> None:
    if isinstance(error, Unreachable):
        global unreached_at  # noqa: PLW0603 - of the process, whose threads share it
        unreached_at = time.monotonic()
    logger.warning("message %d (%s) was not sent: %s", message.pk, message.kind, named(error))
    # Unless the lease ran out, and another worker has it.
    mine = Message.objects.filter(pk=message.pk, claimed_at=message.claimed_at)
    pause = pause_after(message.tries)
    mine.update(claimed_at=None, next_try_at=Now() + pause, error=named(error)[:100])


def named(error: BaseException) -> str:
    """The name of the error without its text, in which a server may quote the mail and its
    links."""
    error = error.__cause__ if isinstance(error, Unreachable) and error.__cause__ else error
    refused = next(iter(getattr(error, "recipients", {}).values()), (None,))
    code = getattr(error, "smtp_code", refused[0])
    return f"{type(error).__name__} {code}" if code else type(error).__name__

"""From many callers to one transaction: each process has one combiner, and this is what it runs."""

import logging
import time
from collections.abc import Sequence

from django.conf import settings
from django.db import OperationalError, connection, transaction
from psycopg.errors import LockNotAvailable

from inventory.models import Inventory
from reservations.books import Books, Outcome
from reservations.combining import Combiner, Later
from reservations.commands import Command
from reservations.exceptions import Busy, InFlight
from reservations.idempotency import Answer
from reservations.models import Reservation
from reservations.news import tell
from reservations.storage import Patience, open_books, write

logger = logging.getLogger(__name__)

# A duplicate of a request that still runs elsewhere asks again, ever more slowly, this long.
IN_FLIGHT_SECONDS = 5.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.01, 0.25

Served = Outcome | Exception | Later

# Rows that were waited for in vain, and until when that is remembered. A lane has one leader, and
# what two of them may lose here is a hint.
_stuck: dict[int, float] = {}


def perform(command: Command) -> Reservation | Answer:
    """The command's result; raises its refusal, `Busy`, or whatever broke it."""
    give_up = time.monotonic() + IN_FLIGHT_SECONDS
    pause = _FIRST_PAUSE
    while True:
        try:
            return _submit(command)
        except InFlight:
            if time.monotonic() + pause > give_up:
                raise
        # No lock is held here, and no commit of another process is announced anywhere.
        time.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)


def _submit(command: Command) -> Reservation | Answer:
    # What is asked inside a caller's transaction commits, or does not, with that transaction.
    if not connection.in_atomic_block:
        return _combiner.submit(command)
    outcome = _alone(command)
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def _run(commands: list[Command], wait: bool) -> Sequence[Served]:
    """Serves a batch in one transaction; should that break, each command in one of its own.

    In the main lane a row that others sit on is waited for only briefly, then passed over.
    """
    try:
        if wait:
            return _transact_stuck(commands)
        try:
            return _transact(commands, Patience.BRIEF)
        except OperationalError as error:
            if not isinstance(error.__cause__, LockNotAvailable):
                raise
            return _transact(commands, Patience.NONE)
    except Exception as error:
        # Who waited for the very same rows would only wait in vain once more.
        if len(commands) == 1 or (_is_busy(error) and len({c.rows for c in commands}) == 1):
            return [_refusal(error)] * len(commands)
        logger.warning("%d commands are retried one by one: %s", len(commands), _name(error))
    return [_alone(command) for command in commands]


def _transact_stuck(commands: list[Command]) -> Sequence[Served]:
    """Whoever comes to a row that was just waited for in vain waits only briefly: one transaction
    that sits on a popular row would otherwise take every thread of the shop, again and again."""
    rows = {row for command in commands for row in command.rows}
    now = time.monotonic()
    known = any(_stuck.pop(row, now) > now for row in rows)
    try:
        return _transact(commands, Patience.BRIEF if known else Patience.FULL)
    except OperationalError:
        _stuck.update(dict.fromkeys(rows, time.monotonic() + settings.LOCK_TIMEOUT_MS / 1000))
        raise


def _alone(command: Command) -> Outcome | Exception:
    try:
        (outcome,) = _transact([command], Patience.FULL)
    except Exception as error:
        return _refusal(error)
    assert not isinstance(outcome, Later)
    return outcome


def _transact(commands: Sequence[Command], patience: Patience) -> list[Outcome | Later]:
    ours = not connection.in_atomic_block
    # The pipeline inside: to switch autocommit within one would cost a round trip each time. What
    # went wrong in it may come out only at its end, where no cursor is left to translate it.
    with transaction.atomic(), connection.wrap_database_errors, connection.connection.pipeline():
        books = open_books(commands, patience)
        outcomes = [_decide(books, command, patience) for command in commands]
        write(books, commit=ours)
    # At once, or when the caller's own transaction commits; and it may not break what is done.
    transaction.on_commit(lambda: tell(books), robust=True)
    return outcomes


def _decide(books: Books, command: Command, patience: Patience) -> Outcome | Later:
    row = books.lacks(command, passed_over=patience is Patience.NONE)
    if row is None:
        return books.settle(command)
    if patience is not Patience.NONE:
        raise Inventory.DoesNotExist
    return Later(row)


def _is_busy(error: Exception) -> bool:
    """A lock not had in time, a deadlock, a connection lost or not to be had: nothing happened, or
    all of it did, and either way asking again is safe."""
    return isinstance(error, OperationalError)


def _refusal(error: Exception) -> Exception:
    if not _is_busy(error):
        return error
    logger.warning("busy: %s", _name(error))
    return Busy()


def _name(error: Exception) -> str:
    """Without the detail, in which PostgreSQL quotes whole rows: holders are nobody's business."""
    return f"{type(error).__name__} ({type(error.__cause__).__name__})"


_combiner: Combiner[Command, Reservation | Answer] = Combiner(_run, lambda command: command.rows)

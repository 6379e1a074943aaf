"""From many callers to one transaction: each process has one combiner, and this is what it runs."""

import logging
import time
from collections.abc import Sequence

from django.conf import settings
from django.db import Error, connection, transaction

from allo.postgresql.faults import (
    LOCK_NOT_AVAILABLE,
    Fault,
    fault_of,
    is_locked,
    name_of,
    sqlstate_of,
)
from inventory.models import Inventory
from reservations.engine.books import Books, Outcome
from reservations.engine.combining import Combiner, Later
from reservations.engine.commands import Command
from reservations.engine.idempotency import Answer
from reservations.engine.news import tell
from reservations.engine.storage import Patience, open_books, write
from reservations.exceptions import Busy, InFlight, Storage
from reservations.models import Reservation

logger = logging.getLogger(__name__)

# A duplicate of a request that still runs elsewhere asks again, ever more slowly, this long.
IN_FLIGHT_SECONDS = 5.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.01, 0.25

Served = Outcome | Exception | Later

# Rows that were waited for in vain, and until when that is remembered. A lane has one leader, and
# what two of them may lose here is a hint.
_stuck: dict[int, float] = {}


def perform(command: Command) -> Reservation | Answer:
    """The command's result; raises its refusal, `Busy`, `Storage`, or whatever broke it."""
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
        except Error as error:
            if sqlstate_of(error) != LOCK_NOT_AVAILABLE:
                raise
            return _transact(commands, Patience.NONE)
    except Exception as error:
        if not _may_do_alone(commands, error):
            return [_refusal(error)] * len(commands)
        logger.warning("%d commands are retried one by one: %s", len(commands), name_of(error))
    return [_alone(command) for command in commands]


def _transact_stuck(commands: list[Command]) -> Sequence[Served]:
    """Whoever comes to a row that was just waited for in vain waits only briefly: one transaction
    that sits on a popular row would otherwise take every thread of the shop, again and again."""
    rows = {row for command in commands for row in command.rows}
    now = time.monotonic()
    known = any(_stuck.pop(row, now) > now for row in rows)
    try:
        return _transact(commands, Patience.BRIEF if known else Patience.FULL)
    except Error as error:
        if is_locked(error):
            _stuck.update(dict.fromkeys(rows, time.monotonic() + settings.LOCK_TIMEOUT_MS / 1000))
        raise


def _may_do_alone(commands: list[Command], error: Exception) -> bool:
    """Whether what befell the batch may spare some of its commands when each is tried alone: a row
    that others sit on, or one command that broke it all. Without a database, or without room on
    its disk, each would only wait, one after the other, for what the batch just waited for."""
    if is_locked(error):
        return len({command.rows for command in commands}) > 1
    return len(commands) > 1 and fault_of(error) is None


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


def _refusal(error: Exception) -> Exception:
    fault = fault_of(error)
    if fault is None:
        return error
    logger.warning("%s: %s", fault.value, name_of(error))
    return Storage() if fault is Fault.STORAGE else Busy()


_combiner: Combiner[Command, Reservation | Answer] = Combiner(_run, lambda command: command.rows)

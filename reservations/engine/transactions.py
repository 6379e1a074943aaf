"""From many callers to one transaction: each process has one combiner, and this is what it runs."""

import logging
import time
from collections.abc import Sequence
from dataclasses import replace

from django.conf import settings
from django.db import Error, connection, transaction

from allo.live.events import tell
from allo.postgresql.faults import (
    LOCK_NOT_AVAILABLE,
    Fault,
    fault_of,
    is_locked,
    name_of,
    sqlstate_of,
)
from inventory.models import Inventory
from reservations.engine.books import Books, Shortage
from reservations.engine.combining import Combiner, Later
from reservations.engine.commands import Command
from reservations.engine.idempotency import Once, Outcome, Reply
from reservations.engine.locks import Patience
from reservations.engine.storage import free_due, open_books, write
from reservations.exceptions import (
    Busy,
    IdempotencyConflict,
    InFlight,
    ReservationError,
    Storage,
)
from reservations.models import Reservation

logger = logging.getLogger(__name__)

# A duplicate of a request that still runs elsewhere asks again, ever more slowly, this long.
IN_FLIGHT_SECONDS = 5.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.01, 0.25

Served = Reservation | Reply | Exception | Later

# Rows that were waited for in vain, and until when that is remembered. A lane has one leader, and
# what two of them may lose here is a hint.
_stuck: dict[int, float] = {}


def perform(command: Command) -> Reservation:
    """The command's reservation; raises its refusal, `Busy`, `Storage`, or whatever broke it."""
    done = _perform(command)
    assert isinstance(done, Reservation)
    return done


def perform_once(command: Command, once: Once) -> Reply:
    """The reply under the key, stored with the effect or before. Raises what is not stored: a
    transient refusal, a conflict, or whatever broke the command."""
    reply = _perform(replace(command, once=once))
    assert isinstance(reply, Reply)
    return reply


def _perform(command: Command) -> Reservation | Reply:
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


def _submit(command: Command) -> Reservation | Reply:
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


def _alone(command: Command) -> Reservation | Reply | Exception:
    try:
        (outcome,) = _transact([command], Patience.FULL)
    except Exception as error:
        return _refusal(error)
    assert not isinstance(outcome, Later)
    return outcome


def _transact(commands: Sequence[Command], patience: Patience) -> list[Served]:
    ours = not connection.in_atomic_block
    # The pipeline inside: to switch autocommit within one would cost a round trip each time. What
    # went wrong in it may come out only at its end, where no cursor is left to translate it.
    with transaction.atomic(), connection.wrap_database_errors, connection.connection.pipeline():
        books = open_books(commands, patience)
        outcomes = [_serve(books, command, patience) for command in commands]
        write(books, commit=ours)
    # At once, or when the caller's own transaction commits; and it may not break what is done.
    transaction.on_commit(lambda: tell(books.events), robust=True)
    return outcomes


def _serve(books: Books, command: Command, patience: Patience) -> Served:
    row = _not_locked(books, command, passed_over=patience is Patience.NONE)
    if row is None:
        return _decide(books, command)
    if patience is not Patience.NONE:
        raise Inventory.DoesNotExist
    return Later(row)


def _not_locked(books: Books, command: Command, *, passed_over: bool) -> int | None:
    """The first row of the command that was not locked. Where locks of others were passed over, a
    missing reservation may be one of them; its own row is then the place to wait at."""
    reservation = command.reservation_id
    if passed_over and reservation and not books.knows(reservation):
        return command.rows[0]
    return next((row for row in command.rows if row not in books.stocks), None)


def _decide(books: Books, command: Command) -> Reservation | Reply | ReservationError:
    """One command; under a key the reply that is stored, or is now. An outcome that a retry may
    change is not stored."""
    once = command.once
    try:
        if once and (reply := books.reply_before(once)):
            return reply
        outcome: Outcome = _outcome(books, command)
    except ReservationError as refusal:
        outcome = refusal
    passing = isinstance(outcome, IdempotencyConflict) or getattr(outcome, "transient", False)
    return outcome if once is None or passing else books.keep_reply(once, outcome)


def _outcome(books: Books, command: Command) -> Reservation:
    while True:
        try:
            return command.decide(books)
        except Shortage as shortage:
            free_due(books, shortage)


def _refusal(error: Exception) -> Exception:
    fault = fault_of(error)
    if fault is None:
        return error
    logger.warning("%s: %s", fault.value, name_of(error))
    return Storage() if fault is Fault.STORAGE else Busy()


_combiner: Combiner[Command, Reservation | Reply] = Combiner(_run, lambda command: command.rows)

"""Runs the commands of many callers in one transaction: the work of each process's combiner."""

import logging
import time
from collections.abc import Sequence
from dataclasses import replace

from django.conf import settings
from django.db import Error, connection, transaction

from allo.live.events import publish_events
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

# How long, and at which growing intervals, a duplicate of a running request is retried.
IN_FLIGHT_SECONDS = 5.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.01, 0.25

Served = Reservation | Reply | Exception | Later

# Rows whose lock timed out, and until when that is remembered. Not locked: two lanes that write it
# at once can lose only a hint.
_stuck: dict[int, float] = {}


def perform(command: Command) -> Reservation:
    """Runs the command and returns its reservation. Raises its refusal, `Busy`, `Storage`, or the
    error that stopped it."""
    done = _perform(command)
    assert isinstance(done, Reservation)
    return done


def perform_once(command: Command, once: Once) -> Reply:
    """Runs the command at most once and returns the reply stored under the key. Raises what is not
    stored: a transient refusal, a conflict, or the error that stopped the command."""
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
        # No lock is held while this sleeps. It has to poll: no process announces its commits.
        time.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)


def _submit(command: Command) -> Reservation | Reply:
    # Inside a caller's transaction the command has to commit or roll back with it: no combining.
    if not connection.in_atomic_block:
        return _combiner.submit(command)
    outcome = _alone(command)
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def _run(commands: list[Command], wait: bool) -> Sequence[Served]:
    """Serves a batch in one transaction; if that fails, each command in a transaction of its own.

    In the main lane a locked row is waited for only briefly, then skipped.
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
    """Later callers of a stuck row wait only briefly: otherwise one transaction that keeps a
    popular row locked would block every thread of the shop."""
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
    """Whether some commands of a failed batch may succeed one by one: after a lock timeout, or an
    error of one command. Without a database, or without disk space, each would fail in turn like
    the batch."""
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
    with transaction.atomic():
        books = open_books(commands, patience)
        outcomes = [_serve(books, command, patience) for command in commands]
        write(books, commit=ours)
    # Now, or when the caller's transaction commits. Robust: an error here must not undo anything.
    transaction.on_commit(lambda: publish_events(books.events), robust=True)
    return outcomes


def _serve(books: Books, command: Command, patience: Patience) -> Served:
    row = _not_locked(books, command, passed_over=patience is Patience.NONE)
    if row is None:
        return _decide(books, command)
    if patience is not Patience.NONE:
        raise Inventory.DoesNotExist
    return Later(row)


def _not_locked(books: Books, command: Command, *, passed_over: bool) -> int | None:
    """The first row of the command that was not locked. A reservation can be missing because its
    lock was skipped; its inventory row is then the one to wait for."""
    reservation = command.reservation_id
    if passed_over and reservation and not books.knows(reservation):
        return command.rows[0]
    return next((row for row in command.rows if row not in books.stocks), None)


def _decide(books: Books, command: Command) -> Reservation | Reply | ReservationError:
    """The outcome of one command; under a key its reply, stored now or before. A transient refusal
    is not stored, since a retry may succeed."""
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

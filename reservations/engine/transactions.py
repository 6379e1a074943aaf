"""Runs the commands of many callers in one transaction: the work of each process's combiner."""

import logging
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from functools import partial

from django.db import Error, connection, transaction

from allo.metrics import counters
from allo.postgresql.faults import (
    LOCK_NOT_AVAILABLE,
    fault_of,
    is_locked,
    name_of,
    sqlstate_of,
)
from inventory import events
from inventory.models import Inventory
from reservations.engine import measured, refused, stuck
from reservations.engine.books import Books
from reservations.engine.combining import Combiner, Later
from reservations.engine.commands import Command
from reservations.engine.faults import refusal_of
from reservations.engine.idempotency import Bag, Once, Outcome, Reply
from reservations.engine.limits import Uncounted
from reservations.engine.locks import Patience
from reservations.engine.stock import Shortage
from reservations.engine.storage import (
    look_up,
    open_books,
    wait_for_above,
    wait_for_row,
    write,
)
from reservations.exceptions import Busy, IdempotencyConflict, InFlight, ReservationError
from reservations.models import Reservation

logger = logging.getLogger(__name__)

# How long, and at which growing intervals, a duplicate of a running request is retried.
IN_FLIGHT_SECONDS = 5.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.01, 0.25

Done = Reservation | Bag | Reply
Served = Done | Exception | Later


def perform(command: Command) -> Reservation:
    """Runs the command and returns its reservation. Raises its refusal, `Busy`, `Storage`, or the
    error that stopped it."""
    done = _perform(command)
    assert isinstance(done, Reservation)
    return done


def perform_bag(command: Command) -> Bag:
    """`perform`, of a command on several reservations."""
    done = _perform(command)
    assert isinstance(done, Bag)
    return done


def perform_once(command: Command, once: Once) -> Reply:
    """Runs the command at most once and returns the reply stored under the key. Raises what is not
    stored: a transient refusal, a conflict, or the error that stopped the command."""
    reply = _perform(replace(command, once=once))
    assert isinstance(reply, Reply)
    return reply


def _perform(command: Command) -> Done:
    give_up = time.monotonic() + IN_FLIGHT_SECONDS
    pause = _FIRST_PAUSE
    while True:
        try:
            return _submit(command)
        except InFlight:
            if time.monotonic() >= give_up:
                raise
        # No lock is held while this sleeps. It has to poll: no process announces its commits.
        time.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)


def _submit(command: Command) -> Done:
    # Inside a caller's transaction the command has to commit or roll back with it: no combining.
    if not connection.in_atomic_block:
        return _combiner.submit(command)
    outcome = _alone(command)
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def _run(commands: list[Command], key: Hashable) -> Sequence[Served]:
    """Serves a batch of the main lane, or of those who wait for `key`."""
    if key is None:
        return _guarded(commands, _briefly)
    if not isinstance(key, int):  # not of an inventory row
        return list(map(_not_later, commands, _guarded(commands, _after_above)))
    # A wide command keeps one row locked while it waits for another, and the callers of that row
    # alone would wait with it.
    narrow = iter(_guarded([c for c in commands if not c.is_wide], _patiently))
    wide_ones = [c for c in commands if c.is_wide]
    wide = map(_not_later, wide_ones, _guarded(wide_ones, partial(_after_row, key)))
    return [next(wide if command.is_wide else narrow) for command in commands]


def _guarded(
    commands: list[Command], serve: Callable[[list[Command]], Sequence[Served]]
) -> Sequence[Served]:
    """Serves the commands in one transaction; if that fails, each in a transaction of its own."""
    try:
        return serve(commands) if commands else []
    except Exception as error:
        if not _may_do_alone(commands, error):
            return [_failed(commands, error)] * len(commands)
        logger.warning("%d commands are retried one by one: %s", len(commands), name_of(error))
    return [_alone(command) for command in commands]


def _briefly(commands: list[Command]) -> Sequence[Served]:
    """A locked row is waited for only briefly, then skipped."""
    try:
        return _transact(commands, Patience.BRIEF)
    except Error as error:
        if sqlstate_of(error) != LOCK_NOT_AVAILABLE:
            raise
        return _transact(commands, Patience.NONE)


def _patiently(commands: list[Command]) -> Sequence[Served]:
    rows = {row for command in commands for row in command.rows}
    return stuck.wait_for(rows, lambda patience: _transact(commands, patience))


def _after_row(row: int, commands: list[Command]) -> Sequence[Served]:
    """Waits for the row before anything else is locked: its other rows may be free and popular."""
    with transaction.atomic():
        stuck.wait_for([row], lambda patience: wait_for_row(row, commands, patience))
    return _briefly(commands)


def _after_above(commands: list[Command]) -> Sequence[Served]:
    """Waits for orders before anything else is locked: a transaction that keeps one locked must
    not stop the other callers of its inventory rows."""
    keys = {lane for command in commands for above in command.above for lane in above.lanes}
    with transaction.atomic():
        stuck.wait_for(keys, lambda patience: wait_for_above(commands, patience))
    return _briefly(commands)


def _may_do_alone(commands: list[Command], error: Exception) -> bool:
    """Whether some commands of a failed batch may succeed one by one: after a lock timeout, or an
    error of one command. Without a database, or without disk space, each would fail in turn like
    the batch."""
    if is_locked(error):
        return len({tuple(command.lanes) for command in commands}) > 1
    return len(commands) > 1 and fault_of(error) is None


def _alone(command: Command) -> Done | Exception:
    try:
        (outcome,) = _transact([command], Patience.BRIEF if command.is_wide else Patience.FULL)
    except Exception as error:
        return _failed([command], error)
    assert not isinstance(outcome, Later)
    return outcome


def _failed(commands: list[Command], error: Exception) -> Exception:
    refusal = refusal_of(error)
    measured.failed(commands, refusal)
    return refusal


def _not_later(command: Command, outcome: Served) -> Served:
    """It has waited already."""
    return _failed([command], Busy()) if isinstance(outcome, Later) else outcome


def _transact(commands: Sequence[Command], patience: Patience) -> list[Served]:
    ours = not connection.in_atomic_block
    counters.BATCH.observe(len(commands))
    with transaction.atomic():
        books = open_books(commands, patience)
        outcomes = [_serve(books, command, patience) for command in commands]
        write(books, commit=ours)
    # Now, or when the caller's transaction commits. Robust: an error here must not undo anything.
    transaction.on_commit(lambda: events.publish(books.events), robust=True)
    transaction.on_commit(lambda: refused.publish(books), robust=True)
    transaction.on_commit(lambda: measured.publish(books), robust=True)
    return outcomes


def _serve(books: Books, command: Command, patience: Patience) -> Served:
    missing: Hashable = next((row for row in command.rows if row not in books.stocks), None)
    if missing is None and patience is Patience.NONE:
        missing = _skipped(books, command)
    if missing is None:
        return _decide(books, command)
    if patience is not Patience.NONE:
        raise Inventory.DoesNotExist
    return Later(missing)


def _skipped(books: Books, command: Command) -> Hashable:
    """What the command has to wait for: something that it names is missing, perhaps because its
    lock was skipped. For a reservation that is an inventory row."""
    if not all(books.knows(pk) for pk in command.reservation_ids):
        return command.rows[0]
    lanes = (lane for above in command.above for lane in above.lanes)
    return next((lane for lane in lanes if lane[1] not in books.above[lane[0]]), None)


def _decide(books: Books, command: Command) -> Done | ReservationError:
    """The outcome of one command; under a key its reply, stored now or before. A transient refusal
    is not stored, since a retry may succeed."""
    once = command.once
    try:
        if once and (reply := books.reply_before(once)):
            measured.note(books, command, measured.REPLAYED)
            return reply
        outcome: Outcome = _outcome(books, command)
        measured.note(books, command, measured.OK)
    except ReservationError as refusal:
        outcome = refusal
        refused.note(books, command, refusal)
        measured.note(books, command, refusal.code)
    passing = isinstance(outcome, IdempotencyConflict) or getattr(outcome, "transient", False)
    return outcome if once is None or passing else books.keep_reply(once, outcome)


def _outcome(books: Books, command: Command) -> Reservation | Bag:
    while True:
        try:
            return command.decide(books)
        except (Shortage, Uncounted) as missing:
            look_up(books, missing)


_combiner: Combiner[Command, Done] = Combiner(_run, lambda command: command.lanes)

"""The verbs of staff on a shopper's hold, each recorded with the person and the reason.

Record and change are one transaction. A refusal is committed too: it may have expired a hold that
was past its time.
"""

from datetime import datetime, timedelta
from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction

from reservations.engine.commands import Command, Extend, Withdraw
from reservations.engine.transactions import perform
from reservations.exceptions import ReservationError
from reservations.models import Reservation, StaffAction

Action = StaffAction.Action
Cause = Reservation.Cause

MOST_MINUTES = 60


def release(
    *, reservation_id: UUID, actor: User, reason: str, cause: Cause = Cause.OTHER
) -> Reservation:
    """Frees a live hold. Its holder sees the cause; only staff see the reason. Raises
    `ReservationExpired`, `NotPending`, `Busy`."""
    command = Withdraw(rows=_rows(reservation_id), reservation_ids=(reservation_id,), cause=cause)
    return _act(command, StaffAction(action=Action.RELEASED, actor=actor, reason=reason))


def extend(
    *, reservation_id: UUID, minutes: int, actor: User, reason: str, until: datetime | None = None
) -> Reservation:
    """Gives a live hold more time, without the holder's limit: if given, only if it still lasts
    `until` then. What has expired stays expired. Raises `TimeChanged`, `ReservationExpired`,
    `NotPending`, `Busy`."""
    if not 1 <= minutes <= MOST_MINUTES:
        raise ValueError(f"{minutes} is not between 1 and {MOST_MINUTES}")
    by, rows = timedelta(minutes=minutes), _rows(reservation_id)
    command = Extend(rows=rows, reservation_ids=(reservation_id,), by=by, until=until)
    action = StaffAction(action=Action.EXTENDED, minutes=minutes, actor=actor, reason=reason)
    return _act(command, action)


def _rows(reservation_id: UUID) -> tuple[int, ...]:
    return (Reservation.objects.values_list("inventory", flat=True).get(pk=reservation_id),)


def _act(command: Command, record: StaffAction) -> Reservation:
    with transaction.atomic():
        try:
            done = perform(command)
        except ReservationError as error:
            refusal = error
        else:
            record.reservation = done
            record.save(force_insert=True)
            return done
    raise refusal

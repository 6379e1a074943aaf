"""What staff do to somebody's hold: the shop's own verbs, with who did it and why on the record.

The record and the change are one transaction. A refusal is committed too: a hold that turned out
to be past its time has expired, whoever asked.
"""

from datetime import timedelta
from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction

from reservations.commands import Command, Extend, Withdraw
from reservations.engine import perform
from reservations.exceptions import ReservationError
from reservations.models import Reservation, StaffAction

Action = StaffAction.Action

MOST_MINUTES = 60


def release(*, reservation_id: UUID, actor: User, reason: str) -> Reservation:
    """Frees a live hold. Raises `ReservationExpired`, `NotPending`, `Busy`."""
    return _act(Withdraw, reservation_id, StaffAction(action=Action.RELEASED), actor, reason)


def extend(*, reservation_id: UUID, minutes: int, actor: User, reason: str) -> Reservation:
    """Gives a live hold more time, also beyond what its holder may take; what has expired stays
    so. Raises `ReservationExpired`, `NotPending`, `Busy`."""
    if not 1 <= minutes <= MOST_MINUTES:
        raise ValueError(f"{minutes} is not between 1 and {MOST_MINUTES}")
    record = StaffAction(action=Action.EXTENDED, minutes=minutes)
    return _act(Extend, reservation_id, record, actor, reason, by=timedelta(minutes=minutes))


def _act(
    verb: type[Command],
    reservation_id: UUID,
    record: StaffAction,
    actor: User,
    reason: str,
    **more: timedelta,
) -> Reservation:
    row = Reservation.objects.values_list("inventory", flat=True).get(pk=reservation_id)
    with transaction.atomic():
        try:
            done = perform(verb(rows=(row,), reservation_id=reservation_id, **more))
        except ReservationError as error:
            refusal = error
        else:
            assert isinstance(done, Reservation)
            record.reservation, record.actor, record.reason = done, actor, reason
            record.save(force_insert=True)
            return done
    raise refusal

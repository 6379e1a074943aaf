"""Reservations, their counts by day, the waiting list, the replies stored under idempotency keys,
and the records of staff and clock."""

from reservations.models.adopted_holder import AdoptedHolder
from reservations.models.api_token import ApiToken, rate_is_known
from reservations.models.clock import AuditRun, ClockRun, Forgotten, Repair, Sweep
from reservations.models.cooldown_lift import CooldownLift
from reservations.models.days import CountedDay, DayCount
from reservations.models.idempotency_key import IdempotencyKey
from reservations.models.list_closure import ListClosure
from reservations.models.reservation import OF_LIST, Reservation, ReservationQuerySet
from reservations.models.staff_action import StaffAction
from reservations.models.waiting import (
    IS_OPEN,
    OPEN,
    WaitingEntry,
    WaitingEntryQuerySet,
)

__all__ = [
    "IS_OPEN",
    "OF_LIST",
    "OPEN",
    "AdoptedHolder",
    "ApiToken",
    "AuditRun",
    "ClockRun",
    "CooldownLift",
    "CountedDay",
    "DayCount",
    "Forgotten",
    "IdempotencyKey",
    "ListClosure",
    "Repair",
    "Reservation",
    "ReservationQuerySet",
    "StaffAction",
    "Sweep",
    "WaitingEntry",
    "WaitingEntryQuerySet",
    "rate_is_known",  # a migration finds it here
]

"""Forgets who held what has ended long ago: the row stays as history, first without its network,
later without its holder.

History grows without end, so no run reads it again: `Forgotten` stores how far each walk has come.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, Func, OuterRef, Q, QuerySet, TextField, Value
from django.utils import timezone

from allo import pruning
from reservations.engine.locks import locking_reservations
from reservations.models import AdoptedHolder, Forgotten, Reservation
from reservations.models.reservation_triggers import HELD_FOR, NOBODY

BEGINNING = datetime.fromisoformat("2000-01-01T00:00:00+00:00")
# Holders that are accounts, or browsers of accounts, are forgotten when the account is deleted.
OF_A_STRANGER = (
    ~Q(holder__startswith="user:")
    & ~Q(holder=NOBODY)
    & ~Exists(AdoptedHolder.objects.filter(holder=OuterRef("holder")))
)
OF_A_NETWORK = Q(~Q(address="") | ~Q(around="")) & ~Q(address__startswith="token:")

Forget = Callable[[QuerySet[Any]], object]


def forget() -> None:
    now = timezone.now()
    networks, visitors = (
        now - timedelta(days=days)
        for days in (settings.KEEP_NETWORKS_DAYS, settings.KEEP_VISITORS_DAYS)
    )
    walk_ended("networks", networks, forget_networks)
    walk_ended("visitors", visitors, forget_visitors)


def forget_networks(rows: QuerySet[Reservation]) -> None:
    _locked(rows.filter(OF_A_NETWORK)).update(address="", around="")


def forget_visitors(rows: QuerySet[Reservation]) -> None:
    forget_holders(rows.filter(OF_A_STRANGER))


def forget_holders(rows: QuerySet[Reservation]) -> None:
    """For reservations that have ended. In the caller's transaction."""
    _locked(rows).update(holder=nobody())


def nobody() -> Func:
    """The value that replaces a holder."""
    pattern, rest = Value(HELD_FOR), Value(rf"\1{NOBODY}")
    return Func(F("holder"), pattern, rest, function="regexp_replace", output_field=TextField())


def _locked(rows: QuerySet[Reservation]) -> QuerySet[Reservation]:
    """In the order of the keys, like all that lock several."""
    ids = list(rows.order_by().values_list("pk", flat=True))
    locked = [row.pk for row in locking_reservations(ids).only("pk")]
    return Reservation.objects.filter(pk__in=locked)


# --- walks --------------------------------------------------------------------------------------


def walk_ended(
    what: str,
    until: datetime,
    forget: Forget,
    *,
    of: tuple[Reservation.Status, ...] = Reservation.FINAL,
) -> None:
    """Walks over what ended before a time. Each state is walked by itself, in the order of its
    index."""
    for status in of:
        ended = Reservation.objects.ended().filter(status=status)
        walk(f"{what} of {status}", ended, "ended_at", until, forget)


def walk(what: str, rows: QuerySet[Any], by: str, until: datetime, forget: Forget) -> None:
    """Calls `forget` with the next rows, in the order of their time `by`, until all before a time
    have been seen; a portion at a time, each in its own transaction."""
    while _step(what, rows, by, until, forget):
        pass


@transaction.atomic
def _step(what: str, rows: QuerySet[Any], by: str, until: datetime, forget: Forget) -> bool:
    """Returns whether there may be more."""
    Forgotten.objects.get_or_create(what=what, defaults={"until": BEGINNING})
    # Locked, so that only one of two workers takes a portion.
    mark = Forgotten.objects.select_for_update().get(what=what)
    if mark.until >= until:
        return False
    ahead = rows.filter(**{f"{by}__gt": mark.until, f"{by}__lte": until}).order_by(by)
    last = pruning.PORTION - 1
    mark.until = ahead.values_list(by, flat=True)[last : last + 1].first() or until
    forget(ahead.filter(**{f"{by}__lte": mark.until}))
    mark.save(update_fields=["until"])
    return bool(mark.until < until)

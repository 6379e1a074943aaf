"""The lists and the search of the reservations console.

Each list is read from an index: pending reservations by deadline, ended ones by time. There is no
list of all reservations, but a search by id or holder covers all of them.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest

from inventory.staff.filters import rows_of_product
from reservations.models import Reservation, ReservationQuerySet

Status = Reservation.Status

SOON = timedelta(minutes=2)

STATES = {
    "live": "Live",
    "soon": "Ends in 2 min",
    "overdue": "Past its time",
    "confirmed": "Confirmed",
    "expired": "Expired",
    "released": "Released",
}
ANY = "any"
EIGHT = re.compile(r"[0-9a-fA-F]{8}")
# Kinds of holders with an id; `session` is from earlier versions.
_RANDOM = ("visitor", "anonymous", "list", "session")
_HOLDERS = ("user", "token", *_RANDOM)
_LAST = "ffff-ffff-ffff-ffffffffffff"
_FIRST = "0000-0000-0000-000000000000"


# Apps above this one add other names of a reservation: functions from the typed words to a
# condition, or to None if the words are no such name.
also_named: list[Callable[[str], Q | None]] = []


@dataclass(frozen=True)
class Search:
    """A search as a condition; `names` is true if it names one reservation or holder."""

    condition: Q
    names: bool


def search(words: str) -> Search:
    """By id or its first 8 characters, holder, names that other apps add, or user name; else by
    product."""
    words = words.strip().replace("\0", "")
    if EIGHT.fullmatch(words):
        return Search(_begins(words.lower()), names=True)
    if one := named_id(words):
        return Search(Q(pk=one) | Q(holder__in=[f"{kind}:{one}" for kind in _RANDOM]), names=True)
    if words.partition(":")[0] in _HOLDERS:
        return Search(Q(holder=words), names=True)
    if condition := next(filter(None, (named(words) for named in also_named)), None):
        return Search(condition, names=True)
    users = get_user_model().objects.filter(username=words).values_list("pk", flat=True)
    if holders := [f"user:{pk}" for pk in users]:
        return Search(Q(holder__in=holders), names=True)
    return Search(Q(inventory__in=rows_of_product(words)), names=False)


def _begins(first: str) -> Q:
    """The reservation's or the holder's id begins with these 8 characters."""
    found = Q(pk__range=ids_beginning(first))
    for kind in _RANDOM:
        found |= Q(holder__range=(f"{kind}:{first}-{_FIRST}", f"{kind}:{first}-{_LAST}"))
    return found


def ids_beginning(first: str) -> tuple[str, str]:
    """The least and the greatest id that begins with these 8 characters."""
    return f"{first}-{_FIRST}", f"{first}-{_LAST}"


def named_id(words: str) -> UUID | None:
    try:
        return UUID(words)
    except ValueError:
        return None


def search_of(request: HttpRequest) -> Search | None:
    """Queried once per request."""
    known = vars(request)
    if "console_search" not in known:
        words = request.GET.get("q", "").strip()
        known["console_search"] = search(words) if words else None
    found: Search | None = known["console_search"]
    return found


def state_of(request: HttpRequest) -> str:
    """The requested list: live holds by default, all states for a search by id or holder."""
    asked = request.GET.get("state", "")
    if asked in STATES:
        return asked
    found = search_of(request)
    return ANY if found and found.names else "live"


def in_state(rows: ReservationQuerySet, state: str) -> QuerySet[Reservation]:
    match state:
        case "live":
            return rows.live()
        case "soon":
            return rows.live().filter(expires_at__lte=Now() + SOON)
        case "overdue":
            return rows.due()
        case _ if state == ANY:
            return rows
    return rows.filter(status=state, ended_at__isnull=False)


def order_of(state: str) -> tuple[str, ...]:
    if state == ANY:
        return ("-created_at",)
    return ("-ended_at",) if state in Status.values else ("expires_at",)

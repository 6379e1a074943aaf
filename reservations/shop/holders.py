"""Whom a request acts for, and what that person may see.

Staff are shoppers like everybody here: what they do for others they do in the admin, where their
role allows it and where it is recorded with its reason.
"""

from uuid import UUID

from django.db.models.functions import Now
from django.http import Http404, HttpRequest

from allo.web.address import client_network
from reservations import services
from reservations.engine.commands import Holder
from reservations.engine.events import holder_topic
from reservations.models import Reservation
from reservations.shop import visitor

# Where sessions kept their holder before browsers had a cookie of their own; what these sessions
# hold stays theirs.
_KEY = "holder"


def holders_of(request: HttpRequest) -> tuple[str, ...]:
    """All holders whose reservations are this shopper's: the account, and the browser, which may
    have held things before it signed in. Asks nothing of the database without a session cookie."""
    account = f"user:{request.user.pk}" if request.user.is_authenticated else None
    holders = (account, visitor.holder_of(request), request.session.get(_KEY))
    return tuple(filter(None, holders))


def holder_for(request: HttpRequest) -> Holder | None:
    """Whose a new hold is to be; None for a browser that shows nothing to be known by. What an
    account holds is counted by no network."""
    for name in holders_of(request):
        return Holder(name, "" if request.user.is_authenticated else client_network(request))
    return None


def live_holds(request: HttpRequest) -> list[Reservation]:
    """What this shopper holds now, soonest to lapse first; asked once per request."""
    known = vars(request)
    if "live_holds" not in known:
        pending = Reservation.objects.pending_of(holders_of(request)).filter(expires_at__gt=Now())
        known["live_holds"] = list(pending.with_stock().order_by("expires_at"))
    holds: list[Reservation] = known["live_holds"]
    return holds


def look_again(request: HttpRequest) -> None:
    """What was read before an act is not what is held after it."""
    vars(request).pop("live_holds", None)


def topics_of(request: HttpRequest) -> list[str]:
    """What a page listens to so as to hear of this shopper's holds."""
    return [holder_topic(holder) for holder in holders_of(request)]


def owned(request: HttpRequest, reservation_id: UUID) -> Reservation:
    """The shopper's reservation, expired if it is past its time; to others it does not exist."""
    try:
        reservation = services.get(reservation_id=reservation_id)
    except Reservation.DoesNotExist:
        raise Http404("no such reservation") from None
    if not may_see(request, reservation):
        raise Http404("no such reservation")
    return reservation


def may_see(request: HttpRequest, reservation: Reservation) -> bool:
    return reservation.holder in holders_of(request)

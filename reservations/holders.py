"""Whom a request acts for, and what that person may see.

Staff are shoppers like everybody here: what they do for others they do in the admin, where their
role allows it and where it is recorded with its reason.
"""

from uuid import UUID, uuid4

from django.conf import settings
from django.http import Http404, HttpRequest
from django.utils.crypto import salted_hmac

from reservations import services
from reservations.models import Reservation
from reservations.news import holder_topic

_KEY = "holder"


def holders_of(request: HttpRequest) -> tuple[str, ...]:
    """Everyone whose reservations are this shopper's: the account, and what its session held
    before it was signed in. Asks nothing of the database without a session cookie."""
    user = [f"user:{request.user.pk}"] if request.user.is_authenticated else []
    session = [request.session[_KEY]] if _KEY in request.session else []
    return (*user, *session)


def holder_for(request: HttpRequest) -> str:
    """Whose a new hold is to be; an anonymous session begins here, when something is held."""
    holders = holders_of(request)
    if not holders:
        request.session[_KEY] = f"session:{_anonymous(request)}"
        return str(request.session[_KEY])
    return holders[0]


def live_holds(request: HttpRequest) -> list[Reservation]:
    """What this shopper holds now, soonest to lapse first; asked once per request."""
    known = vars(request)
    if "live_holds" not in known:
        live = Reservation.objects.live().filter(holder__in=holders_of(request))
        known["live_holds"] = list(live.with_stock().order_by("expires_at"))
    holds: list[Reservation] = known["live_holds"]
    return holds


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


def _anonymous(request: HttpRequest) -> UUID:
    """The same for every request of one browser: the two of a double click come before either
    could be answered with a session, but both carry the form's CSRF cookie."""
    secret = request.COOKIES.get(settings.CSRF_COOKIE_NAME)
    if not secret:
        return uuid4()
    return UUID(bytes=salted_hmac("allo.holder", secret, algorithm="sha256").digest()[:16])

"""The way into a waiting room and back: a place in its line and later a ticket, in cookies.

Both are signed, and valid only for this shopper: the account, or this browser. They do not depend
on the network, so a phone that changes it keeps them.
"""

import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.core.signing import BadSignature
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from redis import RedisError

from allo.live.rooms import passes, store
from allo.live.rooms.passes import Place, Ticket, name_in
from allo.web import cookies
from allo.web.address import client_network
from catalog.models import Product
from reservations import admission
from reservations.admission import Entrance
from reservations.models import OF_LIST, Reservation
from reservations.room_keeping import keep
from reservations.shop import holders

logger = logging.getLogger(__name__)

# Places taken before the opening have scores below it; later ones have the second of their arrival.
LATE = 1_000_000
# Longer than a ticket lasts: Redis knows when it ends, and a browser's clock may be wrong.
TICKET_KEPT = timedelta(minutes=5)
PLACE_KEPT = timedelta(days=1)

Pass = TypeVar("Pass", Place, Ticket)


def entrance_of(
    request: HttpRequest, product_id: int, opens_at: datetime | None
) -> Entrance | None:
    """The check at the product's waiting room; None if it cannot have one now."""
    if opens_at is None or not admission.has_room(opens_at):
        return None
    return Entrance(product_id, opens_at, ticket_of(request, product_id))


def ticket_of(request: HttpRequest, room: int) -> Ticket | None:
    return own_ticket(request, room, request.COOKIES.get(_ticket_cookie(room), ""))


def own_ticket(request: HttpRequest, room: int, signed: str) -> Ticket | None:
    """None for one that is forged, or of another room or shopper."""
    return _own(request, room, signed, passes.read_ticket)


def has_ticket(request: HttpRequest) -> bool:
    return any(name.startswith(settings.TICKET_COOKIE_NAME) for name in request.COOKIES)


def join(request: HttpRequest, room: int) -> Place | None:
    """This shopper's place, the one of this browser if there is one; None without an open room, or
    for a browser without a cookie."""
    known = _own(request, room, request.COOKIES.get(_place_cookie(room), ""), passes.read_place)
    names = _names(request, room)
    if not names:
        return None
    visitor = known.visitor if known else names[0]
    place = store.join(room, visitor=visitor, network=client_network(request), shown=known)
    try:
        # Redis may have lost the room, or the clock is late.
        return store.run(place) or (store.run(place) if keep(room) else None)
    except RedisError as error:
        logger.warning("no waiting room: %s", type(error).__name__)
        return None


def page_of(place: Place) -> str:
    """The address of the room's page, where the live process is."""
    query = urlencode({"place": passes.sign_place(place)})
    return f"{settings.LIVE_URL.rstrip('/')}/room/{place.room}/?{query}"


def kept_place(request: HttpRequest, product: Product) -> datetime | None:
    """The place on the waiting list that this shopper kept from the product's waiting room."""
    if product.opens_at is None:
        return None
    return admission.kept_place(product.pk, _names(request, product.pk))


def is_used(request: HttpRequest, product: Product, ticket: Ticket) -> bool:
    """Whether something was held with it, also if Redis has forgotten that. The waiting list's
    offers need no ticket."""
    early = ticket.score < LATE
    since = product.opens_at if early else datetime.fromtimestamp(ticket.score, UTC)
    names = [name for name in holders.holders_of(request) if not name.startswith(OF_LIST)]
    held = Reservation.objects.filter(
        holder__in=names, inventory__product=product, created_at__gte=since
    )
    return held.exists()


def keep_place(response: HttpResponse, place: Place) -> None:
    cookies.keep(response, _place_cookie(place.room), passes.sign_place(place), PLACE_KEPT)


def keep_ticket(response: HttpResponse, ticket: Ticket) -> None:
    cookies.keep(response, _ticket_cookie(ticket.room), passes.sign_ticket(ticket), TICKET_KEPT)


def forget_place(response: HttpResponse, request: HttpRequest, room: int) -> None:
    """After its turn was used. The ticket stays, for a second click on the same form."""
    if _place_cookie(room) in request.COOKIES:
        cookies.forget(response, _place_cookie(room))


def forget(response: HttpResponse, request: HttpRequest) -> None:
    """Deletes all places and tickets of this browser, when its shopper signs out."""
    ours = (settings.PLACE_COOKIE_NAME, settings.TICKET_COOKIE_NAME)
    for name in request.COOKIES:
        if name.startswith(ours):
            cookies.forget(response, name)


def own_address(request: HttpRequest, name: str, slug: str) -> str:
    """The address of this page at the host of `SITE_URL`, or "" if it was requested there. The room
    leads back to that host, and a browser sends cookies only to the host that set them."""
    site = urlsplit(settings.SITE_URL)
    if (request.scheme, request.get_host()) == (site.scheme, site.netloc):
        return ""
    return f"{settings.SITE_URL}{reverse(name, args=[slug])}"


def _own(request: HttpRequest, room: int, signed: str, read: Callable[..., Pass]) -> Pass | None:
    for visitor in _names(request, room) if signed else ():
        with suppress(BadSignature):
            return read(signed, room=room, visitor=visitor)
    return None


def _names(request: HttpRequest, room: int) -> list[str]:
    return [name_in(room, holder) for holder in holders.names_here(request)]


def _place_cookie(room: int) -> str:
    return f"{settings.PLACE_COOKIE_NAME}{room}"


def _ticket_cookie(room: int) -> str:
    return f"{settings.TICKET_COOKIE_NAME}{room}"

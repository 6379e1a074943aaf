"""The page of an entry: its place, its offer or how it ended, and the buttons to confirm, leave and
decline."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

from allo.web.mail_links import opens_by_link
from allo.web.parts import Request, SeeOther, busy, is_shown, never_stored, seen_of, too_many
from reservations import admission, refusals
from reservations.engine.events import holder_topic
from reservations.exceptions import NotPending, ReservationError, ReservationExpired
from reservations.list_exceptions import AlreadyWaiting, NotWaiting
from reservations.models import WaitingEntry
from reservations.refusals import Refusal
from reservations.services import get, release
from reservations.shop import limits
from reservations.shop.holders import holders_of
from reservations.shop.panel import stock_of
from reservations.shop.waiting.access import by_key, entry_of, let_in, remember
from reservations.waiting import links, rules, services
from reservations.waiting.lists import list_topic

State = WaitingEntry.State
ENDED = (NotWaiting, NotPending, ReservationExpired)

TITLES = {
    State.UNCONFIRMED: "One more step",
    State.WAITING: "Your place",
    State.OFFERED: "It is your turn",
    State.BOUGHT: "It is yours",
    State.DECLINED: "You let it go",
    State.LAPSED: "The time ran out",
    State.TAKEN_BACK: "Taken back",
    State.LEFT: "You have left",
    State.CLOSED: "The list is closed",
}


@require_safe
@never_stored
@opens_by_link
def place(request: Request, entry_id: UUID) -> HttpResponse:
    if key := request.GET.get("key"):
        return SeeOther(links.path_to(let_in(request, entry_id, key)))
    return _page(request, entry_of(request, entry_id))


@require_http_methods(["GET", "HEAD", "POST"])
@never_stored
def confirm(request: Request, entry_id: UUID) -> HttpResponse:
    """By a form and not by the link itself, as programs that check mail follow links."""
    return _done(request, entry_id, lambda it: _confirm(it, holders_of(request)))


@require_http_methods(["GET", "HEAD", "POST"])
@never_stored
def leave(request: Request, entry_id: UUID) -> HttpResponse:
    return _done(request, entry_id, lambda it: services.leave(entry_id=it.pk))


@require_http_methods(["GET", "HEAD", "POST"])
@never_stored
def decline(request: Request, entry_id: UUID) -> HttpResponse:
    return _done(request, entry_id, _decline)


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
@never_stored
@opens_by_link
def unsubscribe(request: Request, entry_id: UUID) -> HttpResponse:
    """The one-click unsubscribe of mail programs (RFC 8058): a POST without cookies, which must not
    be redirected. A browser that opens the address gets the page with the button."""
    key = request.GET.get("key", "")
    if request.method != "POST":
        return SeeOther(links.path_to(let_in(request, entry_id, key)))
    try:
        _end(by_key(entry_id, key))
    except ENDED:
        pass  # it had ended already
    except ReservationError as refusal:
        return busy(request, refusal.code)
    return HttpResponse("You are off the list.\n", content_type="text/plain")


def _done(request: Request, entry_id: UUID, act: Callable[[WaitingEntry], object]) -> HttpResponse:
    entry = entry_of(request, entry_id)
    if request.method != "POST":
        return SeeOther(links.path_to(entry))
    if wait := limits.to_write(entry.holder):
        return too_many(request, wait)
    try:
        act(entry)
    except AlreadyWaiting as refusal:
        # The person has another entry: its page is shown.
        entry = refusal.entry
        remember(request, entry)
    except ENDED:
        pass  # the page says what became of it
    except ReservationError as refusal:
        answer = refusals.answer(refusal)
        if answer.status == refusals.BUSY:
            return busy(request, refusal.code)
        return _page(request, entry, refusals.refusal(answer), status=answer.status)
    return SeeOther(links.path_to(entry))


def _confirm(entry: WaitingEntry, names: tuple[str, ...]) -> None:
    if entry.state == State.UNCONFIRMED:
        admission.check_list(entry.product)
    services.confirm(entry_id=entry.pk, names=names)


def _end(entry: WaitingEntry) -> None:
    """Leaves the list, or declines the offer, also one that was made just now."""
    try:
        services.leave(entry_id=entry.pk)
    except NotWaiting:
        entry.refresh_from_db()
        _decline(entry)


def _decline(entry: WaitingEntry) -> None:
    if entry.offer_id:
        release(reservation_id=entry.offer_id)


def _page(
    request: Request, entry: WaitingEntry, refusal: Refusal | None = None, status: int = 200
) -> HttpResponse:
    if entry.offer_id:
        # `get` first expires an offer that is past its time.
        entry.offer = get(reservation_id=entry.offer_id)
    closed = rules.closure_of(entry.product_id)
    numbers = _waiting(entry) if entry.is_open else {}
    seen = _seen(entry, closed.reason if closed else "", numbers)
    if is_shown(request, seen):
        return HttpResponse(status=204)
    context = {
        "entry": entry,
        "product": entry.product,
        "state": entry.state,
        "title": TITLES[entry.state],
        "refusal": refusal,
        "closed": closed,
        "seen": seen,
        "topics": _topics(entry),
        "now": timezone.now(),
        **numbers,
    }
    return render(request, "reservations/waiting/place.html", context, status=status)


def _topics(entry: WaitingEntry) -> list[str]:
    """The entry's own, and while it waits that of the list, as places move."""
    of_list = [list_topic(entry.product_id)] if entry.is_open else []
    return [holder_topic(entry.holder), *of_list]


def _waiting(entry: WaitingEntry) -> dict[str, Any]:
    stock = stock_of(entry.product)
    return {
        "place": services.place_of(entry),
        "waiting": services.length_of(entry.product_id),
        # Fewer than any entry takes, so everybody may reserve them.
        "free": sum(row.available for row in stock),
        "minutes": settings.OFFER_TTL_SECONDS // 60,
    }


def _seen(entry: WaitingEntry, reason: str, numbers: dict[str, Any]) -> str:
    product, offer = entry.product, entry.offer
    wanted = (product.is_published, product.name, product.price_paise)
    offered = offer and (offer.quantity, offer.expires_at, offer.ended_at)
    state = (entry.state, offered, wanted, reason, numbers)
    return seen_of(state)

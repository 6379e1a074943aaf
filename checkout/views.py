from collections.abc import Mapping
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from allo.web.idempotency_key import replayed
from allo.web.parts import (
    Request,
    SeeOther,
    busy,
    go_to,
    holds_changed,
    never_stored,
    render_part,
    wants_part,
)
from checkout import contacts, limits, paying, proving
from checkout.buying import form_context, remember, shown, shown_hold
from checkout.forms import BuyerForm
from checkout.models import Order
from checkout.orders import links, opening
from reservations import refusals, services
from reservations.engine.events import reservation_topic
from reservations.engine.idempotency import Reply
from reservations.models import Reservation
from reservations.refusals import Refusal
from reservations.shop.holders import live_holds, owned, topics_of
from reservations.shop.keys import key_of, once_for, reply
from reservations.shop.panel import next_lapse_of, stock_of

Status = Reservation.Status

TITLES = {
    "pending": "Held for you",
    "confirmed": "Confirmed",
    "released": "Cancelled",
    "expired": "Ran out",
}


@require_safe
@never_stored
def checkout(request: Request, reservation_id: UUID) -> HttpResponse:
    reservation = owned(request, reservation_id)
    if reservation.status == Status.CONFIRMED and (order := opening.order_of(reservation)):
        return go_to(request, links.path_to(order))
    return _page(request, reservation)


@require_http_methods(["GET", "HEAD", "POST"])
@never_stored
def confirm(request: Request, reservation_id: UUID) -> HttpResponse:
    reservation = owned(request, reservation_id)
    if request.method != "POST":
        return SeeOther(_url(reservation))
    key_of(request)
    form = BuyerForm(request.POST)
    contacts.keep(form.typed(reservation.pk))
    if not form.is_valid():
        return _not_valid(request, reservation, form)
    return _not_yet(request, reservation, form) or _order(request, reservation, form)


def _not_yet(request: Request, reservation: Reservation, form: BuyerForm) -> HttpResponse | None:
    """Why this form does not order now: too many did, or a code has to be typed."""
    if wait := limits.to_pay(request):
        return _slow_down(request, reservation, wait, form)
    if reservation.is_pending and (asked := proving.ask_first(request, form)):
        return asked.remembered(_page(request, reservation, form=form, asked=asked))
    return None


def _order(request: Request, reservation: Reservation, form: BuyerForm) -> HttpResponse:
    answer = paying.order(request, [reservation], [shown_hold(request, reservation)], form.buyer())
    if answer.status == refusals.DONE:
        remember(request, form)
        return replayed(paying.go_to_pay(request, answer.body), answer.replayed)
    if order := opening.order_of(owned(request, reservation.pk)):
        # Another tab ordered it meanwhile.
        return go_to(request, links.path_to(order))
    return _respond(request, reservation, answer)


@require_http_methods(["GET", "HEAD", "POST"])
@never_stored
def cancel(request: Request, reservation_id: UUID) -> HttpResponse:
    """GET asks for confirmation on a page of its own, for browsers without JavaScript."""
    reservation = owned(request, reservation_id)
    if request.method == "POST":
        if wait := limits.to_write(reservation.holder):
            return _slow_down(request, reservation, wait)
        seen = shown(request)
        answer = _answer(request, reservation, services.release, {"quantity": seen}, seen=seen)
        return _respond(request, reservation, answer)
    if not reservation.is_pending:
        return SeeOther(_url(reservation))
    context = {"reservation": reservation, "now": timezone.now(), "idempotency_key": uuid4()}
    return render(request, "checkout/cancel.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@never_stored
def renew(request: Request, reservation_id: UUID) -> HttpResponse:
    reservation = owned(request, reservation_id)
    if request.method != "POST":
        return SeeOther(_url(reservation))
    if wait := limits.to_write(reservation.holder):
        return _slow_down(request, reservation, wait)
    answer = _answer(request, reservation, services.renew)
    return _respond(request, reservation, answer)


@require_POST
@never_stored
def contact(request: HttpRequest, reservation_id: UUID) -> HttpResponse:
    """Stores what is being typed, so that it survives an expiring hold."""
    reservation = owned(request, reservation_id)
    if wait := limits.to_write(reservation.holder):
        # The form itself sends it again.
        return HttpResponse(status=refusals.TOO_MANY, headers={"Retry-After": str(wait)})
    contacts.keep(BuyerForm(request.POST).typed(reservation.pk))
    return HttpResponse(status=204)


def _not_valid(request: Request, reservation: Reservation, form: BuyerForm) -> HttpResponse:
    """What has ended is shown as that, and not the form's mistakes."""
    if reservation.is_pending:
        return _page(request, reservation, form=form, status=422)
    if order := opening.order_of(reservation):
        return go_to(request, links.path_to(order))
    expired = reservation.status == Status.EXPIRED
    return _page(request, reservation, status=refusals.GONE if expired else refusals.CONFLICT)


def _slow_down(
    request: Request, reservation: Reservation, seconds: int, form: BuyerForm | None = None
) -> HttpResponse:
    """The page with what was typed, and with the time to wait."""
    refusal = refusals.rate_limited(seconds)
    return _page(request, reservation, form=form, refusal=refusal, status=refusals.TOO_MANY)


def _answer(
    request: Request,
    reservation: Reservation,
    verb: services.Verb[...],
    asked: Mapping[str, object] | None = None,
    **more: object,
) -> Reply:
    """Runs a verb under the form's key."""
    said = {"reservation": reservation.pk, **(asked or {})}
    once = once_for(request, reservation.holder, f"checkout:{verb.name}", said)
    return reply(verb, once, reservation_id=reservation.pk, **more)


def _respond(request: Request, reservation: Reservation, answer: Reply) -> HttpResponse:
    """The response to a verb: a redirect, the busy page, or the reservation as it is now."""
    if answer.status == refusals.DONE and not wants_part(request):
        return replayed(SeeOther(answer.body), answer.replayed)
    if answer.status == refusals.BUSY and not wants_part(request):
        return busy(request, refusals.refusal(answer).code)
    return replayed(_outcome(request, owned(request, reservation.pk), answer), answer.replayed)


def _outcome(request: Request, reservation: Reservation, answer: Reply) -> HttpResponse:
    if answer.status == refusals.DONE:
        return _page(request, reservation)
    return _page(request, reservation, refusal=refusals.refusal(answer), status=answer.status)


def _page(
    request: Request,
    reservation: Reservation,
    *,
    form: BuyerForm | None = None,
    refusal: Refusal | None = None,
    asked: proving.Asked | None = None,
    status: int = 200,
) -> HttpResponse:
    again = _again(reservation)
    seen = _seen(reservation, again)
    if request.GET.get("seen") == seen and wants_part(request):
        return HttpResponse(status=204)
    part = "again" if request.htmx.target == "again" else "state"
    order = _order_of(reservation)
    context = {
        "reservation": reservation,
        "refusal": refusal,
        "seen": seen,
        "topics": [reservation_topic(reservation.pk)],
        "title": _title(reservation),
        "part": part,
        "swapped": wants_part(request),
        "idempotency_key": uuid4(),
        "now": timezone.now(),
        "order": order,
        "provider": opening.provider_of(order) if order else settings.PAYMENT_PROVIDER,
        "asked": asked or (proving.waiting(request) if reservation.is_pending else None),
        **_buying(request, reservation, form),
        **again,
    }
    status = asked.status if asked else status
    response = render_part(request, "checkout/checkout.html", part, context, status=status)
    paying.may_lead_to(context["provider"], response)
    return response if part == "again" else holds_changed(response)


def _order_of(reservation: Reservation) -> Order | None:
    """The open order that a hold is on; of an ended one the last, whose money may be on its way."""
    if reservation.is_pending:
        return opening.order_of(reservation) if reservation.paying_since else None
    return Order.objects.filter(order_lines__reservation=reservation).first()


def _buying(request: Request, reservation: Reservation, form: BuyerForm | None) -> dict[str, Any]:
    if not reservation.is_pending:
        return {"contact": contacts.for_page_of(reservation)}
    others = [hold for hold in live_holds(request) if hold.pk != reservation.pk]
    return {
        **form_context(request, form, [reservation]),
        "others": others,
        "unpaid": "unpaid" in request.GET,
        "holder_topics": topics_of(request),
    }


def _title(reservation: Reservation) -> str:
    """The title of the browser's tab. A part includes it, so that the tab never shows an old
    state."""
    return "Taken back" if reservation.withdrawn else TITLES[reservation.status]


def _again(reservation: Reservation) -> dict[str, Any]:
    """What can be reserved again: in the same warehouse, else in the one with the most."""
    nothing: dict[str, Any] = {"again": None, "again_quantity": 0, "next_lapse_at": None}
    nothing |= {"stock": [], "keys": []}
    if reservation.status not in (Reservation.Status.EXPIRED, Reservation.Status.RELEASED):
        return nothing
    if not reservation.inventory.product.is_published:
        return nothing
    stock = stock_of(reservation.inventory.product)
    here = [row for row in stock if row.pk == reservation.inventory_id and row.available]
    again = here[0] if here else max(stock, key=lambda row: row.available)
    return {
        "again": again if again.available else None,
        "again_quantity": min(again.available, reservation.quantity),
        "next_lapse_at": next_lapse_of(stock),
        "stock": stock,
        "keys": [reservation.inventory.product_id],
    }


def _seen(reservation: Reservation, again: dict[str, Any]) -> str:
    """A hash of what the page shows, by which polling detects a change."""
    offered = again["again"] and (again["again"].pk, again["again"].available)
    state = (
        reservation.status,
        reservation.quantity,
        reservation.expires_at,
        reservation.paying_since,
        offered,
        again["next_lapse_at"],
        reservation.inventory.product.is_published,
    )
    return sha256(str(state).encode()).hexdigest()[:16]


def _url(reservation: Reservation) -> str:
    return reverse("checkout:checkout", args=[reservation.pk])

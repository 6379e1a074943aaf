from collections.abc import Mapping
from uuid import UUID, uuid4

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
    never_stored,
    too_many,
    wants_part,
)
from checkout import contacts, limits, paying, proving
from checkout.buying import remember, shown, shown_hold, use_address
from checkout.forms import BuyerForm
from checkout.orders import links, opening
from checkout.page import is_awaited, page
from reservations import refusals, services
from reservations.engine.idempotency import Reply
from reservations.models import Reservation
from reservations.shop.holders import owned, owned_for_page
from reservations.shop.keys import key_of, once_for, reply
from reservations.shop.limits import to_write

Status = Reservation.Status


@require_safe
@never_stored
def checkout(request: Request, reservation_id: UUID) -> HttpResponse:
    reservation = owned_for_page(request, reservation_id)
    if reservation.status == Status.CONFIRMED and (order := opening.order_of(reservation)):
        return go_to(request, links.path_to(order))
    return page(request, reservation)


@require_http_methods(["GET", "HEAD", "POST"])
@never_stored
def confirm(request: Request, reservation_id: UUID) -> HttpResponse:
    reservation = owned(request, reservation_id)
    if request.method != "POST":
        return SeeOther(_url(reservation))
    key_of(request)
    form = BuyerForm(request.POST)
    if not_yet := _not_yet(request, reservation, form):
        contacts.keep(form.typed(reservation.pk))
        return not_yet
    return _order(request, reservation, form)


def _not_yet(request: Request, reservation: Reservation, form: BuyerForm) -> HttpResponse | None:
    """Why this form does not order yet: mistakes, too many attempts, or a code has to be typed
    first."""
    if not form.is_valid():
        return _not_valid(request, reservation, form)
    if wait := limits.to_pay(request):
        return _slow_down(request, reservation, wait, form)
    if reservation.is_pending and (asked := proving.ask_first(request, form)):
        return asked.remembered(page(request, reservation, form=form, asked=asked))
    return None


def _order(request: Request, reservation: Reservation, form: BuyerForm) -> HttpResponse:
    answer = paying.order(request, [reservation], [shown_hold(request, reservation)], form)
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
        if wait := to_write(reservation.holder):
            return _slow_down(request, reservation, wait)
        seen = shown(request)
        answer = _answer(request, reservation, services.release, {"quantity": seen}, seen=seen)
        return _respond(request, reservation, answer)
    if not reservation.is_pending:
        return SeeOther(_url(reservation))
    context = {
        "reservation": reservation,
        "now": timezone.now(),
        "awaited": is_awaited(reservation),
        "idempotency_key": uuid4(),
    }
    return render(request, "checkout/cancel.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@never_stored
def renew(request: Request, reservation_id: UUID) -> HttpResponse:
    reservation = owned(request, reservation_id)
    if request.method != "POST":
        return SeeOther(_url(reservation))
    if wait := to_write(reservation.holder):
        return _slow_down(request, reservation, wait)
    answer = _answer(request, reservation, services.renew)
    return _respond(request, reservation, answer)


@require_POST
@never_stored
def contact(request: HttpRequest, reservation_id: UUID) -> HttpResponse:
    """Stores what is being typed, so that it survives an expiring hold."""
    reservation = owned(request, reservation_id)
    if wait := to_write(reservation.holder):
        # The form itself sends it again.
        return HttpResponse(status=refusals.TOO_MANY, headers={"Retry-After": str(wait)})
    contacts.keep(BuyerForm(request.POST).typed(reservation.pk))
    return HttpResponse(status=204)


@require_POST
@never_stored
def address(request: Request, reservation_id: UUID) -> HttpResponse:
    """Fills the form in with a saved address, in the bag or at the checkout."""
    reservation = owned(request, reservation_id)
    if wait := to_write(reservation.holder):
        return too_many(request, wait)
    use_address(request, reservation)
    return go_to(request, reverse("orders:bag") if "bag" in request.POST else _url(reservation))


def _not_valid(request: Request, reservation: Reservation, form: BuyerForm) -> HttpResponse:
    """If the hold has ended, the page says that instead of the form's errors."""
    if reservation.is_pending:
        return page(request, reservation, form=form, status=422)
    if order := opening.order_of(reservation):
        return go_to(request, links.path_to(order))
    expired = reservation.status == Status.EXPIRED
    return page(request, reservation, status=refusals.GONE if expired else refusals.CONFLICT)


def _slow_down(
    request: Request, reservation: Reservation, seconds: int, form: BuyerForm | None = None
) -> HttpResponse:
    """The page with what was typed, and with the time to wait."""
    refusal = refusals.rate_limited(seconds)
    return page(request, reservation, form=form, refusal=refusal, status=refusals.TOO_MANY)


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
        return page(request, reservation)
    return page(request, reservation, refusal=refusals.refusal(answer), status=answer.status)


def _url(reservation: Reservation) -> str:
    return reverse("checkout:checkout", args=[reservation.pk])

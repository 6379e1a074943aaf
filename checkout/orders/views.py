"""The page of an order, and the addresses that lead to it from the provider and from mail."""

from collections.abc import Sequence
from urllib.parse import urlencode
from uuid import uuid4

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from allo.web.mail_links import opens_by_link
from allo.web.parts import (
    Request,
    SeeOther,
    busy,
    go_to,
    is_shown,
    never_stored,
    render_part,
    too_many,
    wants_part,
)
from checkout import due, limits, looking, paying, tasks
from checkout.events import order_topic
from checkout.models import Order
from checkout.orders import links, opening
from checkout.orders.access import let_in, order_of
from checkout.orders.invoice import Invoice
from checkout.orders.showing import Shown
from checkout.payments.base import BadHook
from checkout.payments.providers import provider
from reservations.engine.events import reservation_topic
from reservations.exceptions import Busy, Storage
from reservations.models import Reservation
from reservations.shop.holders import holders_of
from reservations.shop.limits import to_write

# In bytes. A provider's messages have some thousand.
MOST_OF_A_HOOK = 65_536


@require_safe
@never_stored
@opens_by_link
def order(request: Request, number: str) -> HttpResponse:
    if key := request.GET.get("key"):
        return SeeOther(links.path_to(let_in(request, number, key)))
    return _page(request, order_of(request, number))


@require_safe
@never_stored
@opens_by_link
def invoice(request: Request, number: str) -> HttpResponse:
    if key := request.GET.get("key"):
        return SeeOther(links.path_to(let_in(request, number, key), "invoice"))
    found = Invoice(order_of(request, number))
    if not found.shown.has_invoice:
        raise Http404("no invoice")
    return render(request, "checkout/invoice.html", {"invoice": found, "order": found.order})


@require_http_methods(["GET", "HEAD", "POST"])
@never_stored
def pay(request: Request, number: str) -> HttpResponse:
    """Back to the provider's page of an open order."""
    found = order_of(request, number)
    if request.method != "POST":
        return SeeOther(links.path_to(found))
    if wait := limits.to_pay(request):
        return too_many(request, wait)
    return paying.go_to_pay(request, links.path_to(found))


@require_safe
@never_stored
@opens_by_link
def paid(request: Request, number: str) -> HttpResponse:
    """The provider sends the shopper here. That proves no payment: the shop looks itself. A
    program's buyer, who has no cookie of the shop, comes with the signed link."""
    key = request.GET.get("key")
    try:
        found = let_in(request, number, key) if key else order_of(request, number)
    except Http404:
        return _unknown_here(number)
    if not limits.to_look(request):
        found = looking.look(found)
    # Otherwise the clock looks, and then updates the page.
    asking = "?returned=1" if found.state == Order.State.OPEN else ""
    return SeeOther(f"{links.path_to(found)}{asking}")


@require_safe
@never_stored
def back(request: Request, number: str) -> HttpResponse:
    """The shopper came back without paying. The holds last on, and what was typed is still
    there."""
    try:
        found = order_of(request, number)
    except Http404:
        return _unknown_here(number)
    if found.state != Order.State.OPEN:
        return SeeOther(links.path_to(found))
    holds = [line.reservation for line in Shown(found).lines]
    return SeeOther(_to_holds(_theirs(request, holds)) or links.path_to(found))


@require_POST
@never_stored
def drop(request: Request, number: str) -> HttpResponse:
    """The shopper does not want to pay. The holds last on, and can be changed."""
    found = order_of(request, number)
    if wait := to_write(found.holder):
        return too_many(request, wait)
    if found.state == Order.State.OPEN:
        # The money may have arrived: then there is nothing to drop.
        try:
            opening.drop(looking.look(found))
        except (Busy, Storage) as refusal:
            return busy(request, refusal.code)
        found.refresh_from_db()
    there = _to_holds(_theirs(request, Shown(found).living))
    return go_to(request, f"{there}?unpaid=1" if there else links.path_to(found))


def _unknown_here(number: str) -> HttpResponse:
    """A bank's app may lead back to another browser than the one that ordered. The answer is the
    same for a number that nobody has."""
    query = urlencode({"number": number[:40], "returned": 1})
    return SeeOther(f"{reverse('orders:find')}?{query}")


def _theirs(request: Request, holds: Sequence[Reservation]) -> list[Reservation]:
    """Those that this shopper can order again: another one may have come by a signed link."""
    holders = holders_of(request)
    return [hold for hold in holds if hold.holder in holders]


def _to_holds(holds: Sequence[Reservation]) -> str:
    """Where they can be ordered again; empty without one."""
    if len(holds) == 1:
        return reverse("checkout:checkout", args=[holds[0].pk])
    return reverse("orders:bag") if holds else ""


@csrf_exempt
@require_POST
def hook(request: Request, name: str) -> HttpResponse:
    """A provider's message. It is only a hint to look at a payment, and the provider does not wait
    for that look. There is no rate limit, as it could refuse the provider's own messages. Anybody
    can send one, but it costs little: reading `MOST_OF_A_HOOK` bytes and a hash of them, less than
    counting attempts would."""
    try:
        sender = provider(name)
    except LookupError:
        raise Http404("no such provider") from None
    signature = request.headers.get("Stripe-Signature")
    if not signature:
        return HttpResponse(status=400)
    body = request.read(MOST_OF_A_HOOK + 1)
    if len(body) > MOST_OF_A_HOOK:
        return HttpResponse(status=413)
    try:
        hint = sender.hint(body, signature)
    except BadHook:
        return HttpResponse(status=400)
    if payment := due.hinted(hint):
        tasks.ask_to_settle(payment)
    return HttpResponse(status=200)


def _page(request: Request, order: Order) -> HttpResponse:
    shown = Shown(order, returned="returned" in request.GET)
    if is_shown(request, shown.seen):
        return HttpResponse(status=204)
    holds = [line.reservation_id for line in shown.lines]
    context = {
        "order": order,
        "shown": shown,
        "provider": shown.payment.provider,
        "held_here": _theirs(request, shown.living),
        "topics": [order_topic(order.pk), *map(reservation_topic, holds)],
        "swapped": wants_part(request),
        "now": timezone.now(),
        "idempotency_key": uuid4(),
    }
    response = render_part(request, "checkout/order.html", "state", context)
    return paying.may_lead_to(shown.payment.provider, response)

"""The form to join the waiting list of a product: a page, and a dialog over the product's page.

An address that is not an account's own is confirmed by the link in a mail. The form's answer does
not depend on who is on the list, so nobody can find out whether somebody else is.
"""

from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from allo.codes import limits
from allo.web.address import client_network
from allo.web.parts import (
    Request,
    SeeOther,
    busy,
    go_to,
    never_stored,
    render_part,
    too_many,
    wants_part,
)
from allo.web.shared.keys import Sharing
from allo.web.shared.pages import shared
from catalog.models import Product
from catalog.slugs import follow_renames
from reservations import admission, refusals
from reservations.exceptions import ReservationError
from reservations.list_exceptions import AlreadyWaiting
from reservations.models import WaitingEntry
from reservations.refusals import Refusal
from reservations.shop import room
from reservations.shop.holders import address_of, holders_of
from reservations.shop.keys import key_of
from reservations.shop.panel import stock_of
from reservations.shop.published import product_of
from reservations.shop.waiting.forms import JoinForm
from reservations.waiting import asking, links, services

# What opens the dialog.
DIALOG = "join-dialog-body"


def _differs(request: Request) -> bool:
    """Whether the form is not the one that everybody without an account sees."""
    return request.method == "POST" or bool(request.GET) or request.user.is_authenticated


@require_http_methods(["GET", "HEAD", "POST"])
@never_stored
@follow_renames
@shared(Sharing(targets=(DIALOG,), parts_only=True), unless=_differs)
def join(request: Request, slug: str) -> HttpResponse:
    product = product_of(slug)
    if request.method != "POST":
        return _page(request, product, _form(request, product))
    if wait := limits.to_ask(request):
        return _slow_down(request, product, wait)
    form = _form(request, product, request.POST)
    if not form.is_valid():
        return _page(request, product, form, status=422)
    asked = {
        "product_id": product.pk,
        "network": client_network(request),
        "since": room.kept_place(request, product),
        **form.asked,
    }
    try:
        admission.check_list(product)
        if form.address:
            return go_to(request, links.path_to(_place(request, asked)))
        asking.ask(once=key_of(request), **asked)
    except ReservationError as refusal:
        return _refused(request, product, form, refusal)
    return _sent(request, product, asked["email"])


def _place(request: Request, asked: dict[str, Any]) -> WaitingEntry:
    """Joins with the account's own address; if that is on the list already, its entry."""
    try:
        return services.join(confirmed=True, names=holders_of(request), **asked)
    except AlreadyWaiting as refusal:
        return refusal.entry


def _sent(request: Request, product: Product, email: str) -> HttpResponse:
    if not wants_part(request):
        return SeeOther(f"{reverse('waiting:join', args=[product.slug])}?sent=1")
    context = {"product": product, "sent_to": email}
    return render_part(request, "reservations/waiting/join.html", "join-sent", context)


def _refused(
    request: Request, product: Product, form: JoinForm, refusal: ReservationError
) -> HttpResponse:
    answer = refusals.answer(refusal)
    if answer.status == refusals.BUSY and not wants_part(request):
        return busy(request, refusal.code)
    return _page(request, product, form, refusals.refusal(answer), status=answer.status)


def _slow_down(request: Request, product: Product, seconds: int) -> HttpResponse:
    if not wants_part(request):
        return too_many(request, seconds)
    form = _form(request, product, request.POST)
    return _page(request, product, form, refusals.rate_limited(seconds), refusals.TOO_MANY)


def _form(request: Request, product: Product, data: object = None) -> JoinForm:
    return JoinForm(stock_of(product), product, address_of(request), data)


def _page(
    request: Request,
    product: Product,
    form: JoinForm,
    refusal: Refusal | None = None,
    status: int = 200,
) -> HttpResponse:
    numbers = admission.room_numbers(product) if product.opens_at else None
    context = {
        "product": product,
        "line": admission.is_line(numbers),
        "keeps_places": bool(numbers and numbers.onward),
        "keys": [product.pk],
        "stock": form.stock,
        "form": form,
        "refusal": refusal,
        "sent": "sent" in request.GET,
    }
    template = "reservations/waiting/join.html"
    return render_part(request, template, "join-form", context, status=status)

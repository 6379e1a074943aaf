"""The shop's own pages of a waiting room: the one before it, and the address it leads back to."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from allo.web.address import client_network
from allo.web.parts import Request, SeeOther, go_to, never_stored, render_part, too_many
from allo.web.rate import seconds_to_wait
from allo.web.shared.keys import Sharing
from allo.web.shared.pages import shared
from catalog.models import Product
from catalog.slugs import follow_renames
from reservations import admission, refusals
from reservations.refusals import Refusal
from reservations.shop import room, visitor
from reservations.shop.forms import ReserveForm
from reservations.shop.panel import DIALOG, stock_of
from reservations.shop.published import product_of

FORBIDDEN = 403


def _differs(request: HttpRequest) -> bool:
    return request.method == "POST" or room.has_ticket(request)


@require_http_methods(["GET", "HEAD", "POST"])
@never_stored
@follow_renames
@visitor.known_again
@shared(Sharing(targets=(DIALOG,), parts_only=True), unless=_differs)
def wait(request: Request, slug: str) -> HttpResponse:
    product = product_of(slug)
    if elsewhere := room.own_address(request, "reservations:wait", slug):
        return go_to(request, elsewhere)
    if request.method == "POST":
        return _take_place(request, product)
    found = room.entrance_of(request, product.pk, product.opens_at)
    if found:
        found.look_up()
    if not product.opens_later and (found is None or not found.is_closed):
        return go_to(request, _reserve(product))
    return entrance_page(request, product)


@require_safe
@never_stored
@follow_renames
def enter(request: Request, slug: str) -> HttpResponse:
    """Where the room sends those whose turn it is."""
    product = product_of(slug)
    response = SeeOther(_reserve(product))
    if not admission.has_room(product.opens_at):
        return response
    ticket = room.own_ticket(request, product.pk, request.GET.get("ticket", ""))
    if ticket is None:
        return entrance_page(request, product, refusals.not_let_in(), status=FORBIDDEN)
    if not room.is_used(request, product, ticket):
        room.keep_ticket(response, ticket)
    return response


def entrance_page(
    request: Request, product: Product, refusal: Refusal | None = None, status: int = 200
) -> HttpResponse:
    """Explains the room, and has the button that takes a place."""
    assert product.opens_at, "only an opening has a room"
    numbers = admission.room_numbers(product)
    stock = stock_of(product)
    context: dict[str, Any] = {
        "product": product,
        "stock": stock,
        "keys": [product.pk],
        "room_opens_at": admission.room_opens_at(product.opens_at),
        "is_open": admission.has_room(product.opens_at),
        "waiting": numbers.waiting if numbers else 0,
        "form": ReserveForm(stock, product=product),
        "refusal": refusal,
        "now": timezone.now(),
    }
    return render_part(request, "reservations/wait.html", "wait-form", context, status=status)


def _take_place(request: Request, product: Product) -> HttpResponse:
    if wait := seconds_to_wait(settings.API_RATE, "room", client_network(request)):
        return too_many(request, wait)
    place = room.join(request, product.pk)
    if place is None:
        # The room is closed, or Redis is away: nobody has to wait.
        return go_to(request, _reserve(product))
    response = go_to(request, room.page_of(place))
    room.keep_place(response, place)
    return response


def _reserve(product: Product) -> str:
    return reverse("reservations:reserve", args=[product.slug])

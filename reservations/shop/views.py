from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from allo.web.address import client_network
from allo.web.idempotency_key import replayed
from allo.web.parts import (
    Request,
    always_fresh,
    busy,
    go_to,
    holds_changed,
    never_stored,
    render_part,
    too_many,
    wants_part,
)
from allo.web.pressure import pressure
from allo.web.rate import seconds_to_wait
from allo.web.shared.keys import Sharing
from allo.web.shared.pages import shared
from catalog.models import Product
from catalog.slugs import follow_renames
from inventory.models import Inventory
from reservations import refusals, services
from reservations.admission import Entrance
from reservations.availability import with_stock_and_lapse
from reservations.engine.commands import Holder
from reservations.engine.idempotency import Reply
from reservations.exceptions import InsufficientStock, PriceChanged, QuantityChanged, WaitingRoom
from reservations.refusals import Refusal
from reservations.shop import history, holders, room, room_pages, visitor
from reservations.shop import panel as panel_of
from reservations.shop.forms import ReserveForm
from reservations.shop.keys import key_of, once_for, reply
from reservations.shop.panel import (
    DIALOG,
    header_holds,
    holds_of,
    next_lapse_of,
    panel,
    stock_of,
)
from reservations.shop.published import product_for, product_once_held, published


def _differs(request: Request) -> bool:
    """Whether the response cannot be the shared form of all who hold nothing: this shopper holds
    something, sent the form, or an event caused the request and it must be as fresh as that."""
    refreshes = wants_part(request) and request.htmx.target != DIALOG
    asks = request.method == "POST" or bool(request.GET)
    return asks or refreshes or room.has_ticket(request) or bool(holders.live_holds(request))


@require_http_methods(["GET", "HEAD", "POST"])
@never_stored
@follow_renames
@visitor.known_again
@shared(Sharing(targets=(DIALOG,), parts_only=True), unless=_differs)
def reserve(request: Request, slug: str) -> HttpResponse:
    product = product_for(request, slug)
    entrance = room.entrance_of(request, product.pk, product.opens_at)
    if request.method != "POST":
        return _shown(request, product, entrance)
    key_of(request)
    network = client_network(request)
    if wait := seconds_to_wait(settings.RESERVE_RATE, "reserve", network, beside=entrance):
        return _slow_down(request, product, wait)
    form = _form(request, product, data=request.POST)
    holder = holders.holder_for(request, product.max_per_customer)
    if not form.is_valid() or holder is None:
        refusal = refusals.not_known() if form.is_valid() else None
        return _page(request, product, form, refusal, status=422)
    try:
        answer = _hold(request, product, form, holder, entrance)
    except WaitingRoom as closed:
        refusal = refusals.refusal(refusals.answer(closed))
        return room_pages.entrance_page(request, product, refusal, refusals.CONFLICT)
    if answer.status != refusals.DONE:
        return replayed(_refused(request, product, form, answer, entrance), answer.replayed)
    response = go_to(request, answer.body)
    room.forget_place(response, request, product.pk)
    return replayed(response, answer.replayed)


@require_safe
@always_fresh
@follow_renames
@shared(Sharing())
def stock(request: HttpRequest, slug: str) -> HttpResponse:
    product = get_object_or_404(with_stock_and_lapse(published(slug)))
    return render(request, "reservations/_panel.html", panel(product))


@require_safe
@never_stored
def holds(request: HttpRequest) -> HttpResponse:
    return HttpResponse(header_holds(request))


@require_safe
@never_stored
@follow_renames
def mine(request: HttpRequest, slug: str) -> HttpResponse:
    return HttpResponse(panel_of.mine(request, product_once_held(request, slug)))


@require_safe
@never_stored
def reservations(request: HttpRequest) -> HttpResponse:
    before, after = request.GET.get("before", ""), request.GET.get("after", "")
    try:
        page = history.page_of(holders.holders_of(request), before, after)
    except history.NoSuchPage:
        raise Http404("no such page") from None
    services.expired_if_due(page.reservations)
    context = {
        "page": page,
        "several": len(holders.live_holds(request)) > 1,
        "now": timezone.now(),
        "topics": holders.topics_of(request),
    }
    return render(request, "reservations/list.html", context)


def _shown(request: Request, product: Product, entrance: Entrance | None) -> HttpResponse:
    form = _form(request, product, initial=request.GET.dict())
    if entrance and entrance.look_up() and not form.holds:
        return room_pages.entrance_page(request, product)
    return _page(request, product, form, entrance=entrance)


def _hold(
    request: HttpRequest,
    product: Product,
    form: ReserveForm,
    holder: Holder,
    entrance: Entrance | None,
) -> Reply:
    """Raises `WaitingRoom`."""
    if not form.stock:
        return refusals.answer(InsufficientStock(0))
    if form.saw:
        return _change(request, form, *form.saw)
    asked = {"product": product.pk, **form.cleaned_data}
    once = once_for(request, holder.name, "reservations:reserve", asked)
    if entrance:
        entrance.check(once)
    rows = tuple(row.pk for row in ([form.row] if form.row else form.stock))
    quantity = form.cleaned_data["quantity"]
    with pressure.timing():
        answer = reply(services.reserve_in, once, rows=rows, quantity=quantity, holder=holder)
    if entrance and answer.status == refusals.DONE and not answer.replayed:
        entrance.use_ticket(quantity)
    return answer


def _change(request: HttpRequest, form: ReserveForm, row: Inventory, seen: int) -> Reply:
    """Changes the hold on the row to the requested quantity, if it still has the quantity that the
    form showed."""
    held = next((hold for hold in form.holds if hold.inventory_id == row.pk), None)
    if held is None:
        return refusals.answer(QuantityChanged(0))
    asked = {"reservation": held.pk, **form.cleaned_data}
    return reply(
        services.change,
        once_for(request, held.holder, "reservations:change", asked),
        reservation_id=held.pk,
        quantity=form.cleaned_data["quantity"],
        seen=seen,
        others=tuple(holders.names_here(request)),
        offers=holders.offers_counted(request, held.inventory.product.max_per_customer),
    )


def _refused(
    request: Request, product: Product, form: ReserveForm, answer: Reply, entrance: Entrance | None
) -> HttpResponse:
    """The form again, filled in with what is left, so that one click reserves it."""
    if answer.status == refusals.BUSY and not wants_part(request):
        return busy(request, refusals.refusal(answer).code)
    row = form.saw[0] if form.saw else form.row
    asked = form.cleaned_data["quantity"]
    refusal = refusals.refusal(answer, asked=asked, warehouse=row.warehouse if row else None)
    holders.look_again(request)
    offered = _form(request, product)
    offered.initial.update(_offer(offered.stock, form, refusal))
    page = _page(request, product, offered, refusal, answer.status, entrance=entrance)
    return holds_changed(page)


def _offer(stock: list[Inventory], form: ReserveForm, refusal: Refusal) -> dict[str, Any]:
    """The requested values, with the quantity that is left; if none is left here, any warehouse."""
    if refusal.code == PriceChanged.code:
        return {}
    if refusal.code != InsufficientStock.code:
        return form.cleaned_data
    if within_reach := refusal.available + refusal.held:
        return {**form.cleaned_data, "quantity": within_reach}
    most = max((row.available for row in stock), default=0)
    return {"warehouse": "", "quantity": min(refusal.asked, max(most, 1))}


def _slow_down(request: Request, product: Product, seconds: int) -> HttpResponse:
    if not wants_part(request):
        return too_many(request, seconds)
    form = _form(request, product, initial=request.POST.dict())
    return _page(request, product, form, refusals.rate_limited(seconds), refusals.TOO_MANY)


def _form(request: HttpRequest, product: Product, **more: Any) -> ReserveForm:
    return ReserveForm(stock_of(product), product=product, live=holds_of(request, product), **more)


def _page(
    request: Request,
    product: Product,
    form: ReserveForm,
    refusal: Refusal | None = None,
    status: int = 200,
    *,
    entrance: Entrance | None = None,
) -> HttpResponse:
    context = {
        "product": product,
        "keys": [product.pk],
        "stock": form.stock,
        "next_lapse_at": next_lapse_of(form.stock),
        "form": form,
        "refusal": refusal,
        "turn_ends": entrance and entrance.turn_ends,
        "now": timezone.now(),
    }
    return render_part(request, "reservations/reserve.html", "reserve-form", context, status=status)

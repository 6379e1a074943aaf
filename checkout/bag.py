"""The bag: all that a shopper holds, to be paid for together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID, uuid4

from django.conf import settings
from django.http import Http404, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from allo.web.idempotency_key import replayed
from allo.web.parts import (
    Request,
    SeeOther,
    busy,
    go_to,
    holds_changed,
    is_shown,
    never_stored,
    render_part,
    seen_of,
    wants_part,
)
from checkout import contacts, limits, paying, proving
from checkout.bill import gst_of
from checkout.buying import form_context, remember, shown_hold
from checkout.forms import BuyerForm
from checkout.models import Order
from checkout.orders import links, opening
from reservations import refusals
from reservations.models import Reservation
from reservations.refusals import Refusal
from reservations.shop.holders import live_holds, look_again, owned, topics_of
from reservations.shop.keys import key_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A hold as the bag shows it. `order` is the open order that it is on; `refusal` says why it
    could not be ordered just now."""

    hold: Reservation
    ticked: bool
    order: Order | None
    refusal: Refusal | None = None

    @property
    def gst_paise(self) -> int:
        return gst_of(self.hold)


@require_safe
@never_stored
def bag(request: Request) -> HttpResponse:
    holds = live_holds(request)
    if is_shown(request, _seen(request.user.pk, holds)):
        return HttpResponse(status=204)
    return _page(request, holds, ticked=holds)


@require_http_methods(["GET", "HEAD", "POST"])
@never_stored
def pay(request: Request) -> HttpResponse:
    if request.method != "POST":
        return SeeOther(reverse("orders:bag"))
    key_of(request)
    chosen = _chosen(request)
    form = BuyerForm(request.POST)
    if not_yet := _not_yet(request, chosen, form):
        contacts.keep(*(form.typed(hold.pk) for hold in chosen))
        return not_yet
    return _order(request, chosen, form)


def _not_yet(
    request: Request, chosen: Sequence[Reservation], form: BuyerForm
) -> HttpResponse | None:
    """Why this form does not order yet: mistakes, too many attempts, or a code has to be typed
    first."""
    if not chosen or not form.is_valid():
        return _again(request, chosen, form, status=422)
    if wait := limits.to_pay(request):
        refusal = refusals.rate_limited(wait)
        return _again(request, chosen, form, refusal, status=refusals.TOO_MANY)
    if all(hold.is_pending for hold in chosen) and (asked := proving.ask_first(request, form)):
        return asked.remembered(_again(request, chosen, form, asked=asked, status=asked.status))
    return None


def _order(request: Request, chosen: Sequence[Reservation], form: BuyerForm) -> HttpResponse:
    shown = [shown_hold(request, hold, f"-{hold.pk}") for hold in chosen]
    answer = paying.order(request, chosen, shown, form)
    if answer.status == refusals.DONE:
        remember(request, form)
        return replayed(paying.go_to_pay(request, answer.body), answer.replayed)
    refusal = refusals.refusal(answer)
    if answer.status == refusals.BUSY and not wants_part(request):
        return busy(request, refusal.code)
    return replayed(_again(request, chosen, form, refusal, status=answer.status), answer.replayed)


def _chosen(request: Request) -> list[Reservation]:
    """The holds that the form chose. Raises `Http404` if one of them is not this shopper's."""
    try:
        ticked = {UUID(name) for name in request.POST.getlist("hold")}
    except ValueError:
        raise Http404("no such reservation") from None
    return [owned(request, pk) for pk in sorted(ticked)]


def _again(
    request: Request,
    chosen: Sequence[Reservation],
    form: BuyerForm,
    refusal: Refusal | None = None,
    *,
    status: int = 422,
    asked: proving.Asked | None = None,
) -> HttpResponse:
    """The bag, with what was typed and ticked. Holds that ended meanwhile are still shown."""
    look_again(request)
    holds = live_holds(request)
    live = {hold.pk for hold in holds}
    now = [owned(request, hold.pk) for hold in chosen if hold.pk not in live]
    if now and len(now) == len(chosen) and (order := opening.order_of(now[0])):
        # Another tab ordered it meanwhile.
        return go_to(request, links.path_to(order))
    ticked = [hold for hold in holds if hold in chosen]
    return _page(
        request,
        holds,
        ticked=ticked,
        ended=now,
        form=form,
        refusal=refusal,
        asked=asked,
        status=status,
    )


def _page(
    request: Request,
    holds: Sequence[Reservation],
    *,
    ticked: Sequence[Reservation],
    ended: Sequence[Reservation] = (),
    form: BuyerForm | None = None,
    refusal: Refusal | None = None,
    asked: proving.Asked | None = None,
    status: int = 200,
) -> HttpResponse:
    orders = _open_orders(holds)
    order = _one_order(holds, orders)
    provider = opening.provider_of(order) if order else settings.PAYMENT_PROVIDER
    context = {
        "rows": [_row(hold, ticked, orders, refusal) for hold in holds],
        "ended": ended,
        "refusal": refusal,
        "nothing_ticked": status == 422 and not ticked and not ended,
        "order": order,
        "provider": provider,
        "unpaid": "unpaid" in request.GET,
        "asked": asked or (proving.waiting(request) if holds else None),
        "seen": _seen(request.user.pk, holds),
        "topics": topics_of(request),
        "idempotency_key": uuid4(),
        "now": timezone.now(),
        **(form_context(request, form, holds, ticked) if holds else {}),
    }
    response = render_part(request, "checkout/bag.html", "bag", context, status=status)
    paying.may_lead_to(provider, response)
    return holds_changed(response) if request.method == "POST" else response


def _row(
    hold: Reservation,
    ticked: Sequence[Reservation],
    orders: Mapping[UUID, Order],
    refusal: Refusal | None,
) -> Row:
    mine = refusal if refusal and refusal.hold == str(hold.pk) else None
    return Row(hold=hold, ticked=hold in ticked, order=orders.get(hold.pk), refusal=mine)


def _one_order(holds: Sequence[Reservation], orders: Mapping[UUID, Order]) -> Order | None:
    """The open order that all of them are on."""
    on = {orders[hold.pk].pk if hold.pk in orders else None: orders.get(hold.pk) for hold in holds}
    return next(iter(on.values())) if len(on) == 1 else None


def _open_orders(holds: Sequence[Reservation]) -> dict[UUID, Order]:
    """By hold."""
    found = opening.open_orders(holds)
    return {line.reservation_id: order for order in found for line in order.order_lines.all()}


def _seen(account: int | None, holds: Sequence[Reservation]) -> str:
    """With the account and the settings, as on the page of one hold."""
    state = [(hold.pk, hold.quantity, hold.expires_at, hold.paying_since) for hold in holds]
    return seen_of((account, settings.SHIPPING_PAISE, settings.PAYMENT_PROVIDER, state))

"""The page of a reservation at the checkout, in each of its states."""

from typing import Any
from uuid import uuid4

from django.conf import settings
from django.http import HttpResponse
from django.utils import timezone

from allo.web.parts import Request, holds_changed, is_shown, render_part, seen_of, wants_part
from checkout import contacts, paying, proving
from checkout.buying import form_context
from checkout.forms import BuyerForm
from checkout.models import Order
from checkout.orders import opening
from inventory.free import is_for_list
from reservations.engine.events import reservation_topic
from reservations.models import Reservation
from reservations.refusals import Refusal
from reservations.shop.holders import live_holds, topics_of
from reservations.shop.panel import next_lapse_of, stock_of
from reservations.waiting.rules import closure_of

TITLES = {
    "pending": "Held for you",
    "confirmed": "Confirmed",
    "released": "Cancelled",
    "expired": "Ran out",
}


def page(
    request: Request,
    reservation: Reservation,
    *,
    form: BuyerForm | None = None,
    refusal: Refusal | None = None,
    asked: proving.Asked | None = None,
    status: int = 200,
) -> HttpResponse:
    again = _again(reservation)
    seen = _seen(request.user.pk, reservation, again)
    if is_shown(request, seen):
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
        "awaited": is_awaited(reservation),
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


def is_awaited(reservation: Reservation) -> bool:
    """Whether the waiting list would take its units, if it ended now."""
    row = reservation.inventory
    return is_for_list(row.total_units - row.reserved_units + reservation.quantity, row.list_needs)


def _order_of(reservation: Reservation) -> Order | None:
    """The open order that a hold is on; for an ended hold the last order, whose money may be on its
    way."""
    if reservation.is_pending:
        return opening.order_of(reservation) if reservation.paying_since else None
    return Order.objects.filter(order_lines__reservation=reservation).first()


def _buying(request: Request, reservation: Reservation, form: BuyerForm | None) -> dict[str, Any]:
    if not reservation.is_pending:
        sold = reservation.status == Reservation.Status.CONFIRMED
        return {"contact": contacts.for_page_of(reservation)} if sold else {}
    others = [hold for hold in live_holds(request) if hold.pk != reservation.pk]
    return {
        **form_context(request, form, [reservation]),
        "others": others,
        "unpaid": "unpaid" in request.GET,
        "holder_topics": topics_of(request),
    }


def _title(reservation: Reservation) -> str:
    """The title of the browser's tab. Parts for htmx contain it too, so that the tab never shows an
    old state."""
    return "Taken back" if reservation.withdrawn else TITLES[reservation.status]


def _again(reservation: Reservation) -> dict[str, Any]:
    """What can be reserved again: in the same warehouse, or else in the one where most are free."""
    nothing: dict[str, Any] = {"again": None, "again_quantity": 0, "next_lapse_at": None}
    nothing |= {"stock": [], "keys": [], "closed": None}
    if reservation.status not in (Reservation.Status.EXPIRED, Reservation.Status.RELEASED):
        return nothing
    product = reservation.inventory.product
    if not product.is_published:
        return nothing
    stock = stock_of(product)
    here = [row for row in stock if row.pk == reservation.inventory_id and row.available]
    again = here[0] if here else max(stock, key=lambda row: row.available)
    return {
        "again": again if again.available else None,
        "again_quantity": min(again.available, reservation.quantity),
        "next_lapse_at": next_lapse_of(stock),
        "stock": stock,
        "keys": [product.pk],
        "closed": None if again.available else closure_of(product.pk),
    }


def _seen(account: int | None, reservation: Reservation, again: dict[str, Any]) -> str:
    """With the account: signed in from another tab, the forms here need its token. And with the
    settings that the form shows."""
    offered = again["again"] and (again["again"].pk, again["again"].available)
    state = (
        account,
        settings.SHIPPING_PAISE,
        settings.PAYMENT_PROVIDER,
        reservation.status,
        reservation.quantity,
        reservation.expires_at,
        reservation.paying_since,
        is_awaited(reservation),
        offered,
        again["next_lapse_at"],
        again["closed"] and again["closed"].pk,
        any(row.total_units for row in again["stock"]),
        reservation.inventory.product.is_published,
    )
    return seen_of(state)

"""From a form with holds and a buyer to the page where the shopper pays."""

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import resolve, reverse

from allo.web.parts import Request, go_to
from checkout import buying, closing, contacts, looking, tasks
from checkout.commands import Hold, Offer
from checkout.exceptions import ProviderChanged, ShippingChanged
from checkout.forms import BuyerForm
from checkout.models import Order, Payment
from checkout.orders import opening, reading
from checkout.orders.drafts import Buyer, Draft, Pages
from checkout.orders.links import path_to
from checkout.payments.base import ProviderError
from checkout.payments.providers import provider
from inventory.models import Inventory
from reservations import refusals
from reservations.engine.idempotency import Bag, Outcome, Reply
from reservations.engine.limits import Customer
from reservations.exceptions import ReservationError
from reservations.models import Reservation
from reservations.refusals import DONE
from reservations.shop.holders import holders_of
from reservations.shop.keys import once_for

logger = logging.getLogger(__name__)


def order(
    request: HttpRequest, holds: Sequence[Reservation], shown: Sequence[Hold], form: BuyerForm
) -> Reply:
    """Opens an order of the holds, or finds the one that they are on. The reply is the order's
    address or a refusal. What was typed into the form, which is valid, is kept in any case."""
    buyer = form.buyer()
    replaced = []
    for before in opening.open_orders(holds):
        # The money may have arrived meanwhile: then there is nothing left to order.
        now = looking.look(before)
        if now.state in Order.SOLD or opening.is_same(now, shown, buyer):
            return Reply(DONE, path_to(now))
        replaced.append(now)
    draft = _draft(request, holds, buyer)
    asked = {"holds": [str(hold) for hold in shown], "buyer": str(buyer)}
    once = once_for(request, draft.holder, "checkout:order", asked, _answer(draft))
    typed = [form.typed(hold.pk) for hold in holds]
    try:
        _check_shown(request, draft)
        reply = opening.open_order(
            draft=draft, held=holds, holds=shown, replaces=replaced,
            offers=offers_among(request, holds),
            also=map(contacts.also, typed), once=once,
        )  # fmt: skip
    except ReservationError as refusal:
        reply = refusals.answer(refusal)
    if reply.status != DONE:
        contacts.keep(*typed)
        return reply
    for before in replaced:
        # Soon, so that nobody pays at the provider's page for the order that was dropped.
        tasks.ask_to_settle(before.payments.latest("created_at").pk)
    return reply


def _check_shown(request: HttpRequest, draft: Draft) -> None:
    """Raises a `ReservationError` if a setting is not as the form showed it. Fields that are
    missing have the values of now."""
    seen, now = buying.shown(request, "shipping_paise"), draft.shipping_paise
    if not draft.buyer.collects and seen is not None and seen != now:
        raise ShippingChanged(seen, now)
    if request.POST.get("provider", draft.provider) != draft.provider:
        raise ProviderChanged


def go_to_pay(request: Request, address: str) -> HttpResponse:
    """Redirects to where the order is paid. While the provider cannot be reached that is the
    order's own page, which says so."""
    last = reading.last_payment.first(resolve(address).kwargs["number"])
    assert last, "orders are kept"
    try:
        return go_to(request, where_to_pay(last))
    except ProviderError as error:
        logger.warning("order %s: %s", last.order.number, type(error).__name__)
        return go_to(request, address)


def where_to_pay(last: Payment) -> str:
    """The provider's page of an order with this last payment, if it is open. If there is none, or
    none is needed, the order's own page. Raises `ProviderError`."""
    if last.order.state == Order.State.OPEN:
        payment = _begun(last)
        if payment and payment.url and provider(payment.provider).origin:
            return payment.url
        last = payment or last
    if last.order.state in (Order.State.OPEN, Order.State.PLACED):
        looking.look(last.order, last)
    return path_to(last.order)


def _begun(last: Payment) -> Payment | None:
    """Only some threads at once wait for a provider."""
    if last.order.by_program:
        with looking.turn(last.provider):
            last = _without_page_ended(last)
    payment = opening.payable(last)
    if payment is None:
        return None
    with looking.turn(payment.provider):
        return opening.begun(payment)


def _without_page_ended(last: Payment) -> Payment:
    """Closes a payment that only a program could pay, so that its buyer gets a page."""
    if last.closed_at or last.url or last.session_ref is None:
        return last
    closing.close(last)
    looking.look(last.order)
    (last,) = reading.last_payment(last.order.number)
    return last


def may_lead_to(provider_name: str, response: HttpResponse) -> HttpResponse:
    """For pages with a form that leads to this provider's page: browsers apply `form-action` to
    the redirect as well."""
    if origin := provider(provider_name).origin:
        vars(response)["_csp_update"] = {"form-action": [origin]}
    return response


def _draft(request: HttpRequest, holds: Sequence[Reservation], buyer: Buyer) -> Draft:
    return drafted(
        holds,
        buyer,
        Pages(paid=page(request, "paid"), back=page(request, "back")),
        account_id=request.user.pk if request.user.is_authenticated else None,
    )


def page(request: HttpRequest, name: str) -> str:
    """The address of an order's page, with "{number}" for its number."""
    marked = reverse(f"orders:{name}", args=["NUMBER"])
    return request.build_absolute_uri(marked).replace("NUMBER", "{number}")


def drafted(
    holds: Sequence[Reservation], buyer: Buyer, pages: Pages, *, account_id: int | None, **more: Any
) -> Draft:
    """A draft with the present settings; `more` are other fields of the draft. With other holds
    beside an offer it is theirs, as what an entry of the waiting list has is kept only for a
    while."""
    own_first = sorted(holds, key=lambda hold: hold.is_offer)
    return Draft(
        holder=own_first[0].holder,
        account_id=account_id,
        buyer=buyer,
        provider=settings.PAYMENT_PROVIDER,
        shipping_paise=0 if buyer.collects else settings.SHIPPING_PAISE,
        pages=pages,
        gst_percents={hold.pk: hold.inventory.product.gst_percent for hold in holds},
        **more,
    )


def offers_among(request: HttpRequest, held: Iterable[Reservation]) -> tuple[Offer, ...]:
    """The offers of products with `max_per_customer`. A limit that staff have lowered since does
    not take back what was offered."""
    offers = []
    for hold in held:
        product = hold.inventory.product
        if hold.is_offer and product.max_per_customer:
            rows = Inventory.objects.filter(product=product).order_by("pk")
            names = frozenset(holders_of(request))
            customer = Customer(names, tuple(rows.values_list("pk", flat=True)))
            most = max(product.max_per_customer, hold.quantity)
            offers.append(Offer(hold.pk, customer, most))
    return tuple(offers)


def _answer(draft: Draft) -> Callable[[Outcome], Reply]:
    """What is stored under the form's key: the order's address or the refusal."""
    address = reverse("orders:order", args=[draft.number])

    def answer(outcome: Outcome) -> Reply:
        return Reply(DONE, address) if isinstance(outcome, Bag) else refusals.answer(outcome)

    return answer

"""The calls of the API about a reservation and its order: reading it, and paying for it."""

from typing import Annotated, Any
from uuid import UUID

from django.http import HttpResponse
from ninja import Body, Router

from allo.api_kit import fresh, problems
from allo.api_kit.api import invalid
from allo.api_kit.problems import Problem
from checkout import proving
from checkout.api import answers, paying
from checkout.api.confirming import Confirming
from checkout.api.schemas import Bought, Purchase, buyer_of
from checkout.models import Order
from checkout.orders import opening
from checkout.payments.providers import provider
from reservations import services
from reservations.api import answers as common
from reservations.api import openapi
from reservations.api.acting import act
from reservations.api.callers import Merchant, Scope
from reservations.api.guard import ApiRequest, Guard
from reservations.api.openapi import ENDED
from reservations.models import Reservation
from reservations.webhooks import HELD as EXAMPLE

router = Router(tags=["Reservations"])

NOTHING_SAID = Purchase()
NUMBER = "AL-7K3M-9QTX"
BUYER = {
    "name": "Meera Iyer",
    "email": "meera@example.org",
    "phone": "+91 98450 12345",
    "address": {"line1": "12 MG Road", "city": "Bengaluru", "region": "KA", "pin": "560001"},
}


@router.get(
    "/{uuid:reservation_id}",
    auth=Guard(Scope.READ),
    response=Bought,
    operation_id="read",
    summary="Read a reservation",
    openapi_extra=openapi.reading({**EXAMPLE, "order": None}),
)
def read(request: ApiRequest, reservation_id: UUID) -> HttpResponse:
    """The caller's own reservation, as it is now; once it is sold, with its order."""
    found = request.auth.reservation(reservation_id)
    sold = found.status == Reservation.Status.CONFIRMED
    number = _order_number(found) if sold and not _collects_itself(request) else None
    return fresh.answer(request, answers.facts(found, number), fresh.PRIVATE)


@router.post(
    "/{uuid:reservation_id}/confirm",
    auth=Guard(Scope.CONFIRM, has_body=True, body_is_optional=True),
    response=Bought,
    operation_id="confirm",
    summary="Confirm: pay, and sell the units",
    openapi_extra=openapi.writing(
        {**EXAMPLE, "status": "confirmed", **ENDED, "order": NUMBER},
        answers.PAYMENT_REQUIRED,
        answers.PAYMENT_DECLINED,
        answers.AUTHENTICATION_REQUIRED,
        problems.FORBIDDEN,
        answers.EMAIL_NOT_CONFIRMED,
        common.LIMIT_REACHED,
        common.BEING_PAID,
        common.QUANTITY_CHANGED,
        common.NOT_PENDING,
        answers.PAYMENT_ENDED,
        common.EXPIRED,
        answers.PAYMENT_UNDECIDED,
        requestBody=openapi.body({"payment_method": "pm_1A2b3C", "buyer": BUYER}),
    ),
)
def confirm(
    request: ApiRequest, reservation_id: UUID, purchase: Annotated[Purchase, Body()] = NOTHING_SAID
) -> HttpResponse:
    """Orders what is held, pays the order, and sells the units for it. Final.

    Everything is sold and charged, or nothing. Without `payment_method` the answer may be 402 with
    the address of a page where the buyer pays. A retry with the same key never pays again; after a
    payment that was declined, a new key makes another one of the same order. A merchant's token
    collects its own money: it confirms without a body, and gets no order."""
    found = request.auth.reservation(reservation_id)
    said = purchase.model_dump(exclude_unset=True)
    if _collects_itself(request):
        return _sell(request, found, said)
    if purchase.payment_method and provider(opening.provider_for(found)).plain_method == "":
        raise invalid([("payment_method", "This shop is paid on delivery.")])
    buyer = buyer_of(purchase.buyer)
    if found.is_pending and proving.is_missing(request, buyer.email):
        raise Problem(answers.EMAIL_NOT_CONFIRMED)
    reply = paying.confirm(Confirming(request, found, purchase.payment_method, buyer, said))
    return common.response(reply)


def _sell(request: ApiRequest, found: Reservation, said: dict[str, Any]) -> HttpResponse:
    if said:
        detail = "This token collects its own money, so it confirms without a body."
        raise Problem(problems.FORBIDDEN, detail)
    return act(request, found, services.confirm, render=common.changed(found, order=None))


def _collects_itself(request: ApiRequest) -> bool:
    return isinstance(request.auth, Merchant)


def _order_number(found: Reservation) -> str | None:
    bought = Order.objects.filter(order_lines__reservation=found, order_lines__active=True)
    return bought.values_list("number", flat=True).first()

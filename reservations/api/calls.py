"""Reservations in the JSON API; each call runs one verb of `reservations.services`. To read and to
confirm one, which concern its order, are calls of the checkout (`checkout.api`)."""

from dataclasses import replace
from uuid import UUID

from django.http import Http404, HttpResponse
from ninja import Router

from allo.api_kit.problems import Problem
from allo.web.idempotency_key import REPLAY
from allo.web.pressure import pressure
from catalog.models import Product
from inventory.shelves import Shelves, shelves_of
from reservations import services
from reservations.api import answers, openapi
from reservations.api.acting import act, once_of
from reservations.api.callers import INSUFFICIENT_SCOPE, Scope
from reservations.api.guard import ApiRequest, Guard
from reservations.api.openapi import ENDED, TOKEN
from reservations.api.schemas import Held, NewlyHeld, Quantity, Wanted
from reservations.engine.idempotency import Outcome, Reply
from reservations.engine.storage import stored_reply
from reservations.exceptions import IdempotencyConflict, InsufficientStock, WaitingRoom
from reservations.webhooks import HELD as EXAMPLE

router = Router(tags=["Reservations"])


@router.post(
    "",
    auth=Guard(Scope.RESERVE, has_body=True),
    response={201: NewlyHeld},
    operation_id="reserve",
    summary="Hold units",
    openapi_extra=openapi.writing(
        {**EXAMPLE, "token": TOKEN},
        answers.INSUFFICIENT_STOCK,
        answers.WAITING_LIST,
        answers.ALREADY_HELD,
        answers.LIMIT_REACHED,
        answers.COOLING_DOWN,
        answers.NOT_IN_SHOP,
        answers.NOT_OPEN,
        answers.WAITING_ROOM,
        status=201,
        says="The units are held until `expires_at`.",
        headers=("Location", REPLAY),
        links=openapi.LINKS,
        requestBody=openapi.body({"product": "tidal", "warehouse": "blr-01", "quantity": 2}),
    ),
)
def reserve(request: ApiRequest, wanted: Wanted) -> HttpResponse:
    """Holds units in one warehouse for a few minutes; without `warehouse`, in the one with the most
    units. A caller that already holds this quantity there gets the existing reservation. Another
    quantity is refused as `already_held`: see Change."""
    caller = request.auth
    try:
        shelves, rows = _shelves(wanted)
    except Http404:
        if known := _known_answer(request, wanted):
            return known
        raise
    holder = caller.holder(wanted.customer)
    holder = replace(holder, offers=caller.offers(shelves.max_per_customer))
    render = answers.held(shelves.codes.__getitem__, shelves.product, token=caller.gives_token)
    once = once_of(request, caller.key_owner(holder.name), "api:reserve", wanted.model_dump, render)
    if not rows:
        return answers.response(answers.refused(InsufficientStock(0)))
    entrance = caller.entrance(shelves)
    try:
        if entrance and entrance.look_up():
            entrance.check(once)
    except WaitingRoom as shut:
        return answers.shut_out(shut, shelves.product)
    with pressure.timing():
        response = answers.respond(
            services.reserve_in, once, render, rows=rows, quantity=wanted.quantity, holder=holder
        )
    if entrance and response.status_code == 201 and REPLAY not in response:
        entrance.use_ticket(wanted.quantity)
    return response


@router.post(
    "/{uuid:reservation_id}/change",
    auth=Guard(Scope.MANAGE, has_body=True),
    response=Held,
    operation_id="change",
    summary="Change: hold another quantity",
    openapi_extra=openapi.writing(
        {**EXAMPLE, "quantity": 3, "total_paise": 1155000},
        answers.INSUFFICIENT_STOCK,
        answers.WAITING_LIST,
        answers.LIMIT_REACHED,
        answers.COOLING_DOWN,
        answers.NOT_IN_SHOP,
        answers.NOT_OPEN,
        answers.PRICE_CHANGED,
        answers.QUANTITY_CHANGED,
        answers.BEING_PAID,
        answers.NOT_PENDING,
        answers.EXPIRED,
        requestBody=openapi.body({"quantity": 3}),
    ),
)
def change(request: ApiRequest, reservation_id: UUID, wanted: Quantity) -> HttpResponse:
    """Makes the reservation hold `quantity` units in all, until the same time. Fewer units are
    always possible; more only within the limits, while stock lasts, and at an unchanged price. To
    hold more, a merchant's token also needs the scope `reserve`."""
    caller = request.auth
    found = caller.reservation(reservation_id)
    # Without the right to add units: refuse if the quantity has changed since, as a request that
    # was a reduction could now add units.
    seen = None if caller.may_hold_more() else found.quantity
    if seen is not None and wanted.quantity > seen:
        raise Problem(INSUFFICIENT_SCOPE, scope=str(Scope.RESERVE))
    said = wanted.model_dump()
    more = {
        **said,
        "seen": seen,
        "cap": caller.cap,
        "others": caller.others,
        "offers": caller.offers(found.inventory.product.max_per_customer),
    }
    return act(request, found, services.change, said, **more)


@router.post(
    "/{uuid:reservation_id}/release",
    auth=Guard(Scope.MANAGE),
    response=Held,
    operation_id="release",
    summary="Release: free the units",
    openapi_extra=openapi.writing(
        {**EXAMPLE, "status": "released", **ENDED}, answers.NOT_PENDING, answers.EXPIRED
    ),
)
def release(request: ApiRequest, reservation_id: UUID) -> HttpResponse:
    """Frees the held units. Final. A second release changes nothing and succeeds."""
    found = request.auth.reservation(reservation_id)
    return act(request, found, services.release)


@router.post(
    "/{uuid:reservation_id}/renew",
    auth=Guard(Scope.MANAGE),
    response=Held,
    operation_id="renew",
    summary="Renew: more time to pay",
    openapi_extra=openapi.writing(
        {**EXAMPLE, "renewals": 1, "renewals_left": 1, "expires_at": "2026-11-23T06:43:10.480000Z"},
        answers.LIMIT_REACHED,
        answers.NOT_PENDING,
        answers.EXPIRED,
    ),
)
def renew(request: ApiRequest, reservation_id: UUID) -> HttpResponse:
    """Restarts the time to pay; possible a limited number of times."""
    found = request.auth.reservation(reservation_id)
    return act(request, found, services.renew)


def _known_answer(request: ApiRequest, wanted: Wanted) -> HttpResponse | None:
    """The answer to the first request under the key, when there still was such a product and such
    a warehouse: a client that lost it has no other way to what it holds."""
    caller = request.auth
    owner = caller.key_owner(caller.holder(wanted.customer).name)
    once = once_of(request, owner, "api:reserve", wanted.model_dump, _nothing_new)
    try:
        reply = stored_reply(once) if once else None
    except IdempotencyConflict as conflict:
        reply = answers.refused(conflict)
    return answers.response(reply) if reply else None


def _nothing_new(_outcome: Outcome) -> Reply:
    raise AssertionError("an answer is only looked up")


def _shelves(wanted: Wanted) -> tuple[Shelves, tuple[int, ...]]:
    """The product's shelves, and the inventory rows to choose from."""
    try:
        shelves = shelves_of(wanted.product)
        if wanted.warehouse is None:
            return shelves, tuple(shelves.codes)
        return shelves, (shelves.rows[wanted.warehouse],)
    except Product.DoesNotExist:
        raise Http404("no such product") from None
    except KeyError:
        raise Http404(
            "no warehouse with this code for this product; its stock names the codes"
        ) from None

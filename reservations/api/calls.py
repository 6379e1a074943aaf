"""Reservations in the JSON API; each call runs one verb of `reservations.services`."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from django.conf import settings
from django.http import Http404, HttpResponse
from ninja import Router
from pydantic import BaseModel, ConfigDict, Field

from allo.api_kit import fresh, openapi, problems
from allo.api_kit.problems import Problem
from allo.web.idempotency_key import PATTERN, sent_key
from catalog.models import Product
from inventory.shelves import Shelves, shelves_of
from reservations import services
from reservations.api import answers
from reservations.api.callers import (
    INSUFFICIENT_SCOPE,
    INVALID_KEY,
    INVALID_TOKEN,
    Scope,
)
from reservations.api.guard import ApiRequest, Guard
from reservations.engine.idempotency import Once
from reservations.exceptions import InsufficientStock
from reservations.models import Reservation
from reservations.shop.forms import MOST

router = Router(tags=["Reservations"])

SLUG = "^[-a-zA-Z0-9_]{1,80}$"
CUSTOMER = "^[A-Za-z0-9._~-]{1,40}$"


class Wanted(BaseModel):
    """The units to hold."""

    model_config = ConfigDict(strict=True, extra="forbid", title="Wanted")

    product: Annotated[str, Field(pattern=SLUG, description="The product's slug.")]
    warehouse: Annotated[
        str | None,
        Field(
            pattern="^[-a-zA-Z0-9_]{1,20}$",
            description="Its code. Without it: the warehouse with the most units.",
        ),
    ] = None
    quantity: Annotated[int, Field(ge=1, le=MOST)]
    customer: Annotated[
        str | None,
        Field(
            pattern=CUSTOMER,
            description="Of a merchant's system: for whom. The limits of one shopper hold for"
            " each customer. Others' is ignored.",
        ),
    ] = None


class Quantity(BaseModel):
    """How many units to hold in all."""

    model_config = ConfigDict(strict=True, extra="forbid", title="Quantity")

    quantity: Annotated[int, Field(ge=1, le=MOST)]


class Held(BaseModel):
    """A reservation. `status` is never stale: past `expires_at` it is not `pending`. Name and price
    are the product's when it was reserved, and do not change."""

    model_config = ConfigDict(title="Reservation")

    id: UUID
    status: Reservation.Status
    product: str
    name: str
    warehouse: str
    quantity: int
    unit_paise: int
    total_paise: int
    currency: Literal["INR"]
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    ended_by: Annotated[
        Literal["holder", "staff", "clock"] | None,
        Field(description="Its holder, the shop's staff, or the clock when its time ran out."),
    ]
    withdrawn: Annotated[
        Reservation.Cause | None, Field(description="Why staff released it, if they did.")
    ]
    renewals: int
    renewals_left: int


class NewlyHeld(Held):
    """A new reservation. `token` is a bearer token for anonymous callers, else null."""

    model_config = ConfigDict(title="NewReservation")

    token: str | None


EXAMPLE = {
    "id": "7f3c5d0a-6c3e-4b7e-9a51-2f8d3f0c9b11",
    "status": "pending",
    "product": "tidal",
    "name": "Tidal",
    "warehouse": "blr-01",
    "quantity": 2,
    "unit_paise": 385000,
    "total_paise": 770000,
    "currency": "INR",
    "created_at": "2026-11-23T06:30:00.120000Z",
    "expires_at": "2026-11-23T06:40:00.120000Z",
    "ended_at": None,
    "ended_by": None,
    "withdrawn": None,
    "renewals": 0,
    "renewals_left": 2,
}
ENDED = {"ended_at": "2026-11-23T06:33:10.480000Z", "ended_by": "holder"}
TOKEN = "hold_fzxdCmw-S36aUS-NPwybEQ:1xOqhY:u3zGm0l2b6r2h5k7m9p1s3v5x7z9B1D3F5H7J9L1N3P"  # noqa: S105

KEY = {
    "in": "header",
    "name": "Idempotency-Key",
    "required": False,
    "description": "Makes a retry safe: it gets the first response again, as long as the body"
    " is the same, for 24 hours. Use a random UUID.",
    "schema": {"type": "string", "pattern": f"^{PATTERN}$"},
    "example": "0b8f5a3e-6f0d-4f1c-8a52-90b1f1a0c7d4",
}
# The empty requirement: anonymous callers are allowed.
ANYBODY: list[dict[str, list[str]]] = [{}, {"bearer": []}, {"session": []}, {"visitor": []}]
SECURITY_SCHEMES = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "The token of a reservation's 201, or a merchant's API token with the"
        " scopes read, reserve, confirm, manage.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "sessionid",
        "description": "A browser with an account. Unsafe calls also need X-CSRFToken.",
    },
    "visitor": {
        "type": "apiKey",
        "in": "cookie",
        "name": settings.VISITOR_COOKIE_NAME,
        "description": "A browser without an account, after its first form to reserve. Unsafe calls"
        " also need X-CSRFToken.",
    },
}
READING = (INVALID_TOKEN, INSUFFICIENT_SCOPE, problems.NOT_FOUND, problems.RATE_LIMITED)
WRITING = (
    INVALID_KEY, problems.UNPARSABLE, INVALID_TOKEN, INSUFFICIENT_SCOPE, problems.CSRF_FAILED,
    problems.NOT_FOUND, answers.CONFLICT, problems.TOO_LARGE, problems.UNSUPPORTED,
    problems.INVALID, answers.IN_FLIGHT, problems.RATE_LIMITED,
)  # fmt: skip


# The calls that are possible on a new reservation.
LINKS = {
    name: {"operationId": name, "parameters": {"reservation_id": "$response.body#/id"}}
    for name in ("read", "change", "confirm", "release", "renew")
}


def documented(example: dict[str, Any], *kinds: problems.Kind, **more: Any) -> dict[str, Any]:
    return openapi.documented(
        example,
        (*WRITING, *kinds),
        parameters=[KEY],
        security=ANYBODY,
        **{"headers": ("Idempotent-Replay",), **more},
    )


@router.post(
    "",
    auth=Guard(Scope.RESERVE, has_body=True),
    response={201: NewlyHeld},
    operation_id="reserve",
    summary="Hold units",
    openapi_extra=documented(
        {**EXAMPLE, "token": TOKEN},
        answers.INSUFFICIENT_STOCK,
        answers.ALREADY_HELD,
        answers.LIMIT_REACHED,
        status=201,
        says="The units are held until `expires_at`.",
        headers=("Location", "Idempotent-Replay"),
        links=LINKS,
        requestBody={
            "content": {
                "application/json": {
                    "example": {"product": "tidal", "warehouse": "blr-01", "quantity": 2}
                }
            }
        },
    ),
)
def reserve(request: ApiRequest, wanted: Wanted) -> HttpResponse:
    """Holds units in one warehouse for a few minutes; without `warehouse`, in the one with the most
    units. A caller that already holds this quantity there gets the existing reservation. Another
    quantity is refused as `already_held`: see Change."""
    caller = request.auth
    shelves, rows = _shelves(wanted)
    holder = caller.holder(wanted.customer)
    render = answers.held(shelves.codes.__getitem__, shelves.product, token=caller.gives_token)
    once = _once(request, caller.key_owner(holder.name), "api:reserve", wanted.model_dump, render)
    if not rows:
        return answers.response(answers.refused(InsufficientStock(0)))
    return answers.respond(
        services.reserve_in, once, render, rows=rows, quantity=wanted.quantity, holder=holder
    )


@router.get(
    "/{uuid:reservation_id}",
    auth=Guard(Scope.READ),
    response=Held,
    operation_id="read",
    summary="Read a reservation",
    openapi_extra=openapi.documented(EXAMPLE, READING, security=ANYBODY, headers=("ETag",)),
)
def read(request: ApiRequest, reservation_id: UUID) -> HttpResponse:
    """The caller's own reservation, as it is now."""
    found = request.auth.reservation(reservation_id)
    inventory = found.inventory
    facts = answers.facts(found, inventory.product.slug, inventory.warehouse.code)
    return fresh.answer(request, facts, fresh.PRIVATE)


@router.post(
    "/{uuid:reservation_id}/change",
    auth=Guard(Scope.MANAGE, has_body=True),
    response=Held,
    operation_id="change",
    summary="Change: hold another quantity",
    openapi_extra=documented(
        {**EXAMPLE, "quantity": 3, "total_paise": 1155000},
        answers.INSUFFICIENT_STOCK,
        answers.LIMIT_REACHED,
        answers.PRICE_CHANGED,
        answers.QUANTITY_CHANGED,
        answers.NOT_PENDING,
        answers.EXPIRED,
        requestBody={"content": {"application/json": {"example": {"quantity": 3}}}},
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
    said, cap = wanted.model_dump(), caller.cap
    return _act(request, found, services.change, said, seen=seen, cap=cap, **said)


@router.post(
    "/{uuid:reservation_id}/confirm",
    auth=Guard(Scope.CONFIRM),
    response=Held,
    operation_id="confirm",
    summary="Confirm: sell the units",
    openapi_extra=documented(
        {**EXAMPLE, "status": "confirmed", **ENDED}, answers.NOT_PENDING, answers.EXPIRED
    ),
)
def confirm(request: ApiRequest, reservation_id: UUID) -> HttpResponse:
    """Sells the held units. Final."""
    found = request.auth.reservation(reservation_id)
    return _act(request, found, services.confirm)


@router.post(
    "/{uuid:reservation_id}/release",
    auth=Guard(Scope.MANAGE),
    response=Held,
    operation_id="release",
    summary="Release: free the units",
    openapi_extra=documented(
        {**EXAMPLE, "status": "released", **ENDED}, answers.NOT_PENDING, answers.EXPIRED
    ),
)
def release(request: ApiRequest, reservation_id: UUID) -> HttpResponse:
    """Frees the held units. Final. A second release changes nothing and succeeds."""
    found = request.auth.reservation(reservation_id)
    return _act(request, found, services.release)


@router.post(
    "/{uuid:reservation_id}/renew",
    auth=Guard(Scope.MANAGE),
    response=Held,
    operation_id="renew",
    summary="Renew: more time to pay",
    openapi_extra=documented(
        {**EXAMPLE, "renewals": 1, "renewals_left": 1, "expires_at": "2026-11-23T06:43:10.480000Z"},
        answers.LIMIT_REACHED,
        answers.NOT_PENDING,
        answers.EXPIRED,
    ),
)
def renew(request: ApiRequest, reservation_id: UUID) -> HttpResponse:
    """Restarts the time to pay; possible a limited number of times."""
    found = request.auth.reservation(reservation_id)
    return _act(request, found, services.renew)


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
        raise Http404("no such warehouse for this product") from None


def _act(
    request: ApiRequest,
    found: Reservation,
    verb: services.Verb[...],
    said: Mapping[str, Any] | None = None,
    **more: Any,
) -> HttpResponse:
    """Runs a verb on the caller's own reservation; `said` is the request's body."""
    render = answers.changed(found)

    def asked() -> dict[str, Any]:
        return {"reservation": str(found.pk), **(said or {})}

    owner = request.auth.key_owner(found.holder)
    once = _once(request, owner, f"api:{verb.name}", asked, render)
    return answers.respond(verb, once, render, reservation_id=found.pk, **more)


def _once(
    request: ApiRequest,
    client: str,
    endpoint: str,
    asked: Callable[[], dict[str, Any]],
    render: answers.Render,
) -> Once | None:
    key = sent_key(request)
    if key is None:
        return None
    return Once(client, endpoint, key, fresh.encode(asked()).encode(), render)

"""Reservations for other programs: another door to the same verbs."""

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
    """What is to be held."""

    model_config = ConfigDict(strict=True, extra="forbid", title="Wanted")

    product: Annotated[str, Field(pattern=SLUG, description="The product's slug.")]
    warehouse: Annotated[
        str | None,
        Field(pattern="^[-a-zA-Z0-9_]{1,20}$", description="Its code; where most are, without."),
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
    """How many are to be held in all."""

    model_config = ConfigDict(strict=True, extra="forbid", title="Quantity")

    quantity: Annotated[int, Field(ge=1, le=MOST)]


class Held(BaseModel):
    """A reservation. `status` is never stale: past `expires_at` it is not `pending`. Name and price
    are those of the moment it was made, whatever becomes of the product."""

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
        Field(description="Who ended it: its holder, the shop's staff, or its time ran out."),
    ]
    withdrawn: Annotated[
        Reservation.Cause | None, Field(description="Why staff released it, if they did.")
    ]
    renewals: int
    renewals_left: int


class NewlyHeld(Held):
    """A new reservation; `token` is the bearer token of a caller who had nothing to show."""

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
    "description": "With it a retry acts once: it gets the first answer again, as long as the body"
    " is the same, for 24 hours. A random UUID is a good one.",
    "schema": {"type": "string", "pattern": f"^{PATTERN}$"},
    "example": "0b8f5a3e-6f0d-4f1c-8a52-90b1f1a0c7d4",
}
# Nobody in particular is a caller, too: the empty requirement.
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
        "description": "A browser with an account; unsafe calls need X-CSRFToken, too.",
    },
    "visitor": {
        "type": "apiKey",
        "in": "cookie",
        "name": settings.VISITOR_COOKIE_NAME,
        "description": "A browser without one, from its first form to reserve on; unsafe calls need"
        " X-CSRFToken, too.",
    },
}
READING = (INVALID_TOKEN, INSUFFICIENT_SCOPE, problems.NOT_FOUND, problems.RATE_LIMITED)
WRITING = (
    INVALID_KEY, problems.UNPARSABLE, INVALID_TOKEN, INSUFFICIENT_SCOPE, problems.CSRF_FAILED,
    problems.NOT_FOUND, answers.CONFLICT, problems.TOO_LARGE, problems.UNSUPPORTED,
    problems.INVALID, answers.IN_FLIGHT, problems.RATE_LIMITED,
)  # fmt: skip


# What can be done next with what a call has just answered.
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
    """Holds units in one warehouse for a few minutes; without `warehouse`, where most are. Who
    holds as many of that product there already is answered with the reservation there is; another
    quantity is refused as `already_held`, see Change."""
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
    """The caller's own reservation as it is now."""
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
    """Makes the reservation hold `quantity` units in all, until the same time. Fewer are always
    possible; more within the limits, while they are there, and at an unchanged price. A merchant's
    token needs the scope `reserve` as well to hold more."""
    caller = request.auth
    found = caller.reservation(reservation_id)
    # What may only shrink has to be what it was: fewer by now, and this would let it grow.
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
    summary="Confirm: it is paid",
    openapi_extra=documented(
        {**EXAMPLE, "status": "confirmed", **ENDED}, answers.NOT_PENDING, answers.EXPIRED
    ),
)
def confirm(request: ApiRequest, reservation_id: UUID) -> HttpResponse:
    """Sells what is held. Final."""
    found = request.auth.reservation(reservation_id)
    return _act(request, found, services.confirm)


@router.post(
    "/{uuid:reservation_id}/release",
    auth=Guard(Scope.MANAGE),
    response=Held,
    operation_id="release",
    summary="Release: somebody else may have it",
    openapi_extra=documented(
        {**EXAMPLE, "status": "released", **ENDED}, answers.NOT_PENDING, answers.EXPIRED
    ),
)
def release(request: ApiRequest, reservation_id: UUID) -> HttpResponse:
    """Frees what is held. Final; releasing twice is fine."""
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
    """Starts the time to pay anew, a limited number of times."""
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
    """A verb on the caller's own reservation; `said` is what the body says."""
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

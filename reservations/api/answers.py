"""Outcomes as API responses. What is stored under a key is the response body, byte for byte."""

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpResponse
from django.urls import reverse

from allo.api_kit import problems
from allo.api_kit.fresh import encode
from allo.api_kit.problems import BUSY, NEVER_STORED, STORAGE, Kind
from allo.web.idempotency_key import replayed
from reservations import refusals
from reservations.api import tokens
from reservations.engine.idempotency import Once, Outcome, Reply
from reservations.exceptions import (
    AlreadyHeld,
    CoolingDown,
    InsufficientStock,
    LimitReached,
    NotInShop,
    NotOpen,
    NotPending,
    PriceChanged,
    QuantityChanged,
    ReservationError,
    WaitingRoom,
)
from reservations.facts import facts, instant
from reservations.models import Reservation
from reservations.services import Verb

INSUFFICIENT_STOCK = Kind(
    409,
    "insufficient_stock",
    "Insufficient stock",
    "Only 2 left.",
    {"available": 2},
)
LIMIT_REACHED = Kind(
    409,
    "limit_reached",
    "Limit reached",
    "At most 10 in one reservation.",
    {"limit": "RESERVATION_MAX_UNITS", "maximum": 10},
)
COOLING_DOWN = Kind(
    409,
    "cooling_down",
    "Cooling down",
    "2 times lately you held this and did not pay for it. You can hold it again after 12:14 IST.",
    {"until": "2026-11-23T06:43:10.480000Z"},
)
NOT_IN_SHOP = Kind(409, "not_in_shop", "Not in the shop", str(NotInShop()))
NOT_OPEN = Kind(
    409,
    "not_open",
    "Not open",
    "It opens on Thursday 3 December 2026 at 18:00 IST. Nobody can hold any before.",
    {"opens_at": "2026-12-03T12:30:00Z", "retry_after": 86400},
)
WAITING_ROOM = Kind(
    409,
    "waiting_room",
    "Waiting room",
    str(WaitingRoom()),
    {"room": "https://shop.example/p/tidal/wait/"},
)
CONFLICT = Kind(
    409,
    "idempotency_conflict",
    "Idempotency conflict",
    "This key was used for another request.",
)
NOT_PENDING = Kind(
    409,
    "not_pending",
    "Not pending",
    "The reservation is confirmed.",
    {"reservation_status": "confirmed", "ended_by": "holder"},
)
EXPIRED = Kind(410, "reservation_expired", "Reservation expired", "The time to pay has passed.")
IN_FLIGHT = Kind(
    problems.IN_FLIGHT,
    "in_flight",
    "In flight",
    "A request with this key is still running.",
    {"retry_after": 1},
)
WAITING_LIST = Kind(
    409,
    "waiting_list",
    "Waiting list",
    "What is free goes to those on the waiting list first. You can join it, and get a mail when it"
    " is your turn.",
)
ALREADY_HELD = Kind(
    409,
    "already_held",
    "Already held",
    "You already hold 1 of it. Change that reservation instead.",
    {"id": "7f3c5d0a-6c3e-4b7e-9a51-2f8d3f0c9b11", "quantity": 1},
)
QUANTITY_CHANGED = Kind(
    409,
    "quantity_changed",
    "Quantity changed",
    "You hold 3 of it now. This has changed since you looked. Check and try again.",
    {"quantity": 3},
)
PRICE_CHANGED = Kind(
    409,
    "price_changed",
    "Price changed",
    "You hold it at ₹ 3,850 each, and one costs ₹ 4,200 now. You can keep what you hold at its"
    " price, but not add to it.",
    {"unit_paise": 385000, "price_paise": 420000},
)
BEING_PAID = Kind(
    409,
    "being_paid",
    "Being paid",
    "It is being paid for right now. Finish that payment, or cancel it and try again.",
)
KINDS = {
    kind.code: kind
    for kind in (
        INSUFFICIENT_STOCK, WAITING_LIST, ALREADY_HELD, QUANTITY_CHANGED, PRICE_CHANGED,
        LIMIT_REACHED, COOLING_DOWN, NOT_IN_SHOP, NOT_OPEN, WAITING_ROOM, CONFLICT, BEING_PAID,
        NOT_PENDING, EXPIRED, IN_FLIGHT, BUSY, STORAGE,
    )
}  # fmt: skip

Render = Callable[[Outcome], Reply]


def address(reservation_id: UUID | str) -> str:
    return f"/api/reservations/{reservation_id}"


def held(codes: Callable[[int], str], product: str, *, token: bool) -> Render:
    """Renders the outcome of `reserve`; `codes` maps an inventory row to its warehouse's code."""

    def render(outcome: Outcome) -> Reply:
        if isinstance(outcome, ReservationError):
            return refused(outcome)
        assert isinstance(outcome, Reservation)
        said = facts(outcome, product, codes(outcome.inventory_id))
        said["token"] = tokens.hold_token(outcome.pk) if token else None
        return Reply(201, encode(said))

    return render


def changed(reservation: Reservation, **more: Any) -> Render:
    """Renders the outcome of a verb on this reservation; `more` are further fields."""
    product, warehouse = reservation.inventory.product.slug, reservation.inventory.warehouse.code

    def render(outcome: Outcome) -> Reply:
        if isinstance(outcome, ReservationError):
            return refused(outcome)
        assert isinstance(outcome, Reservation)
        return Reply(200, encode({**facts(outcome, product, warehouse), **more}))

    return render


def refused(refusal: ReservationError) -> Reply:
    kind = KINDS[refusal.code]
    detail = refusals.limit_in_words(refusal) if isinstance(refusal, LimitReached) else str(refusal)
    return Reply(kind.status, kind.body(detail, _fields(refusal, kind)))


def respond(verb: Verb[...], once: Once | None, render: Render, **asked: object) -> HttpResponse:
    """Runs a verb, under the idempotency key if one was sent, and returns its response."""
    try:
        reply = verb.once(once, **asked) if once else render(verb(**asked))
    except ReservationError as refusal:
        reply = refused(refusal)
    return response(reply)


def response(answer: Reply) -> HttpResponse:
    if answer.status >= 400:
        body = problems.of_this_request(answer.status, answer.body)
        response = problems.respond(answer.status, body)
        if seconds := json.loads(answer.body).get("retry_after"):
            response.headers["Retry-After"] = str(seconds)
    else:
        response = HttpResponse(answer.body, content_type="application/json", status=answer.status)
        response.headers["Cache-Control"] = NEVER_STORED
    if answer.status == 201:
        response.headers["Location"] = address(answer.body[len('{"id":"') :][:36])
    return replayed(response, answer.replayed)


def _fields(refusal: ReservationError, kind: Kind) -> dict[str, Any]:
    if say := _SAID.get(type(refusal)):
        return say(refusal)
    return dict(kind.fields) if "retry_after" in kind.fields else {}


_SAID: dict[type[ReservationError], Callable[[Any], dict[str, Any]]] = {
    InsufficientStock: lambda it: {"available": it.available},
    AlreadyHeld: lambda it: {"id": str(it.reservation_id), "quantity": it.quantity},
    QuantityChanged: lambda it: {"quantity": it.quantity},
    PriceChanged: lambda it: {"unit_paise": it.unit_paise, "price_paise": it.now_paise},
    CoolingDown: lambda it: {"until": instant(it.until)},
    NotOpen: lambda it: {"opens_at": instant(it.opens_at), "retry_after": it.seconds},
    LimitReached: lambda it: {"limit": it.limit, "maximum": it.maximum},
    NotPending: lambda it: {"reservation_status": str(it.status), "ended_by": it.ended_by},
}


def shut_out(refusal: WaitingRoom, slug: str) -> HttpResponse:
    """With the address at which a person takes a place."""
    room = settings.SITE_URL + reverse("reservations:wait", args=[slug])
    return response(Reply(WAITING_ROOM.status, WAITING_ROOM.body(str(refusal), {"room": room})))

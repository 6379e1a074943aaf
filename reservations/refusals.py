"""Outcomes in words: the reply stored under a form's key, and the text of a refusal on a page."""

import json
from dataclasses import dataclass

from django.urls import reverse

from inventory.models import Warehouse
from reservations.engine.idempotency import Outcome, Reply
from reservations.exceptions import (
    InsufficientStock,
    LimitReached,
    NotOpen,
    ReservationError,
    Storage,
    WaitingRoom,
)
from reservations.models import Reservation

DONE, CONFLICT, GONE, TOO_MANY, BUSY = 303, 409, 410, 429, 503

DETAILS = {
    "RESERVATION_MAX_UNITS": "At most {maximum} in one reservation.",
    "RESERVATION_MAX_LIVE": "At most {maximum} of your reservations may be unpaid at once. Pay for"
    " one or cancel one first.",
    "RESERVATION_MAX_UNITS_PER_ADDRESS": "All on your network together may hold at most {maximum}"
    " unpaid units, and with these it would be more. Try again when some are paid for.",
    "networks_around": "All on the networks around yours together may hold at most {maximum} unpaid"
    " units, and with these it would be more. Try again when some are paid for.",
    "RESERVATION_MAX_SHARE": "One shopper may hold at most {maximum} of it unpaid, so that others"
    " get some too. Pay for what you hold of it first.",
    "network_share": "Your network may hold at most {maximum} of it unpaid, so that others get some"
    " too. Try again when those that it holds are paid for.",
    "offer": "The waiting list held {maximum} for you. You can take fewer, but not more: once these"
    " are paid for, you can reserve more like everybody.",
    "max_per_customer": "At most {maximum} of it for each customer, with those that you hold now"
    " and those that you bought.",
    "max_units": "This API token may hold at most {maximum} unpaid units, and with these it would"
    " be more.",
    "RESERVATION_MAX_RENEWALS": "This was extended {maximum} times already, the most allowed.",
    "idempotency_conflict": "This form was already sent with other choices. Send it again"
    " if this is what you want.",
    "already_held": "You already hold some of it, which this page did not show. Check how many"
    " you want in all, then send the form again.",
    "in_flight": "Your request is still being processed. Try again in a moment.",
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a page shows of a refusal: the reason, the units that are left, the reservation it is
    about if the request named several, and after how many seconds to try again."""

    code: str
    detail: str
    available: int = 0
    held: int = 0
    asked: int = 0
    warehouse: Warehouse | None = None
    hold: str = ""
    retry_after: int = 0


def answer(outcome: Outcome) -> Reply:
    """The reply to a shop form: the checkout's address, or the refusal as JSON."""
    if isinstance(outcome, Reservation):
        return Reply(DONE, reverse("checkout:checkout", args=[outcome.pk]))
    assert isinstance(outcome, ReservationError), "an order has a page of its own"
    return Reply(_status(outcome), json.dumps(_facts(outcome)))


def refusal(answer: Reply, *, asked: int = 0, warehouse: Warehouse | None = None) -> Refusal:
    facts = json.loads(answer.body)
    if facts["code"] == InsufficientStock.code:
        facts["detail"] = _what_is_left(**facts, asked=asked, warehouse=warehouse)
        facts.pop("several", None)
    return Refusal(**facts, asked=asked, warehouse=warehouse)


def limit_in_words(refusal: LimitReached) -> str:
    return DETAILS[refusal.limit].format(maximum=refusal.maximum)


def rate_limited(seconds: int) -> Refusal:
    detail = f"Nothing was changed, and what you hold stays held. Try again in {seconds} seconds."
    return Refusal("rate_limited", detail, retry_after=seconds)


def not_let_in() -> Refusal:
    return Refusal(
        "not_let_in",
        "This link works once, for two minutes, and only in the browser that waited. Take a"
        " place, or go back to the one you have.",
    )


def not_known() -> Refusal:
    """The browser sent no cookie. Without one a double click would come from two holders, and hold
    twice."""
    return Refusal(
        "not_known",
        "The cookie that identifies your browser was missing. It is set now. Nothing is held yet.",
    )


def _status(refusal: ReservationError) -> int:
    if isinstance(refusal, NotOpen | WaitingRoom):
        return CONFLICT
    if refusal.transient or isinstance(refusal, Storage):
        return BUSY
    return GONE if refusal.code == "reservation_expired" else CONFLICT


def _facts(refusal: ReservationError) -> dict[str, str | int]:
    if isinstance(refusal, InsufficientStock):
        left = {"available": refusal.available, "held": refusal.held, "several": refusal.several}
        return {"code": refusal.code, **left}
    if isinstance(refusal, LimitReached):
        detail = limit_in_words(refusal)
    else:
        detail = DETAILS.get(refusal.code, str(refusal))
    about = {"hold": str(refusal.hold)} if refusal.hold else {}
    return {"code": refusal.code, "detail": detail, **about}


def _what_is_left(
    *,
    available: int,
    asked: int,
    warehouse: Warehouse | None,
    held: int = 0,
    several: bool = False,
    **_: object,
) -> str:
    """`held` and `several` are missing from replies that an earlier version stored."""
    place = f" in {warehouse}" if warehouse else ""
    if held and available:
        in_all = f"{available + held} with those you hold"
        return f"Only {available} more left{place}, {in_all}; you asked for {asked} in all."
    if held:
        return f"Nothing more is left{place}. You keep the {held} you hold."
    if available and several:
        return f"At most {available} left in one warehouse, you asked for {asked}."
    if available:
        return f"Only {available} left{place}, you asked for {asked}."
    return f"Nothing is left{place}."

"""What a call that pays answers, in addition to what all calls about reservations do."""

from typing import Any

from allo.api_kit.fresh import encode
from allo.api_kit.problems import Kind
from checkout.models import Order
from checkout.payments.base import AuthenticationNeeded
from reservations.engine.idempotency import Reply
from reservations.facts import facts as facts_of
from reservations.models import Reservation

PAYMENT_REQUIRED = Kind(
    402,
    "payment_required",
    "Payment required",
    "Send the buyer to checkout_url, which is open until the reservation expires.",
    {"checkout_url": "https://checkout.stripe.com/c/pay/cs_test_a1B2c3"},
)
PAYMENT_DECLINED = Kind(
    402,
    "payment_declined",
    "Payment declined",
    "The buyer's bank did not pay. Nothing was charged, and the units stay held. A new"
    " Idempotency-Key tries again.",
)
AUTHENTICATION_REQUIRED = Kind(
    402,
    "authentication_required",
    "Authentication required",
    "The buyer has to approve the payment at authentication_url. Then repeat this call.",
    {"authentication_url": "https://hooks.stripe.com/redirect/authenticate/src_1A2b3C"},
)
EMAIL_NOT_CONFIRMED = Kind(
    403,
    "email_not_confirmed",
    "E-mail not confirmed",
    "This shop is paid on delivery, so the buyer's e-mail address has to be confirmed first: sign"
    " in with it, or order on the shop's pages, which send a code.",
)
PAYMENT_ENDED = Kind(
    409,
    "payment_ended",
    "Payment ended",
    "This payment was ended before it was made: another was begun, or the reservation was about"
    " to expire. Nothing was charged. A new Idempotency-Key begins another.",
)
PAYMENT_UNDECIDED = Kind(
    503,
    "payment_undecided",
    "Payment undecided",
    "The payment provider did not answer in time, so nothing is decided yet. Repeat this call with"
    " the same Idempotency-Key: nothing is charged twice.",
    {"retry_after": 5},
)


def as_reply(kind: Kind, **fields: Any) -> Reply:
    return Reply(kind.status, kind.body(fields=fields or kind.fields))


def to_approve(needed: AuthenticationNeeded) -> Reply:
    return as_reply(AUTHENTICATION_REQUIRED, authentication_url=needed.url)


def facts(reservation: Reservation, order: str | None) -> dict[str, Any]:
    inventory = reservation.inventory
    said = facts_of(reservation, inventory.product.slug, inventory.warehouse.code)
    return {**said, "order": order}


def sold(reservation: Reservation, order: Order) -> Reply:
    return Reply(200, encode(facts(reservation, order.number)))

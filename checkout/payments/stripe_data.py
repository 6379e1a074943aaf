"""What is sent to Stripe, and what its answers mean in the shop's words."""

from collections.abc import Mapping
from datetime import timedelta, tzinfo
from typing import TYPE_CHECKING, Any
from uuid import UUID

import stripe

from checkout.payments.base import (
    AuthenticationNeeded,
    Declined,
    Fact,
    Invitation,
    Item,
    ProviderError,
    RefundSeen,
    RefundState,
    Refused,
    SessionState,
    TooMany,
    Unreachable,
)

if TYPE_CHECKING:
    from stripe.params._payment_intent_create_params import PaymentIntentCreateParams
    from stripe.params.checkout._session_create_params import SessionCreateParams

# An object of Stripe's as a plain dictionary.
Plain = Mapping[str, Any]

CURRENCY = "inr"
# Stripe takes no session that ends within 30 minutes, or after a day. The shop's own end comes
# earlier, by a call; what is held for longer than a day gets another payment then. As it is derived
# from what is stored, this end is the same whenever the session is opened.
BEYOND_THE_END, LONGEST_SESSION = timedelta(minutes=31), timedelta(hours=23, minutes=50)
FACTS = {
    "requires_capture": Fact.AUTHORISED,
    "succeeded": Fact.CAPTURED,
    "canceled": Fact.VOID,
}
REFUND_STATES = {
    "succeeded": RefundState.DONE,
    "failed": RefundState.FAILED,
    "canceled": RefundState.FAILED,
}
# Of an intent that was made without a session; in others it is open.
INTENT_STATES = {
    "canceled": SessionState.EXPIRED,
    "processing": SessionState.COMPLETE,
    "requires_capture": SessionState.COMPLETE,
    "succeeded": SessionState.COMPLETE,
}
# Nobody has paid it yet, or it was declined.
UNPAID = {"requires_payment_method", "requires_confirmation"}
# What reading an answer raises that has another shape.
MALFORMED = (ValueError, LookupError, TypeError, AttributeError)


def session_parameters(invitation: Invitation, zone: tzinfo) -> "SessionCreateParams":
    pay_by = invitation.expires_at.astimezone(zone)
    longest = invitation.begins_at + LONGEST_SESSION
    metadata = {"payment_id": str(invitation.payment_id)}
    shipping = Item(name="Shipping", unit_paise=invitation.shipping_paise, quantity=1)
    items = [*invitation.items, *([shipping] if invitation.shipping_paise else [])]
    parameters: SessionCreateParams = {
        "mode": "payment",
        "client_reference_id": invitation.order_number,
        "customer_creation": "always",
        "line_items": [
            {
                "price_data": {
                    "currency": CURRENCY,
                    "unit_amount": item.unit_paise,
                    "product_data": {"name": item.name},
                },
                "quantity": item.quantity,
            }
            for item in items
        ],
        "payment_method_options": {"card": {"capture_method": "manual"}},
        "custom_text": {
            "submit": {"message": f"Pay by {pay_by:%H:%M %Z}; what you ordered is held until then."}
        },
        "metadata": metadata | {"pay_by": invitation.expires_at.isoformat()},
        "payment_intent_data": {
            "description": f"Order {invitation.order_number}",
            "metadata": metadata,
        },
        "success_url": invitation.success_url,
        "cancel_url": invitation.cancel_url,
        "expires_at": int(min(invitation.expires_at + BEYOND_THE_END, longest).timestamp()),
    }
    if invitation.email:
        parameters["customer_email"] = invitation.email
    return parameters


def intent_parameters(invitation: Invitation) -> "PaymentIntentCreateParams":
    return {
        "amount": invitation.total_paise,
        "currency": CURRENCY,
        "payment_method_options": {"card": {"capture_method": "manual"}},
        "automatic_payment_methods": {"enabled": True},
        "description": f"Order {invitation.order_number}",
        "metadata": {"payment_id": str(invitation.payment_id)},
    }


def was_tried(intent: Plain) -> bool:
    """Whether somebody tried to pay it, or it was closed."""
    return intent["status"] not in UNPAID or bool(intent["last_payment_error"])


def check_paid(intent: Plain) -> None:
    """Raises how the try to pay it ended, unless that was well."""
    if intent["status"] == "requires_action":
        raise AuthenticationNeeded(intent["next_action"]["redirect_to_url"]["url"], intent["id"])
    if intent["status"] in {*UNPAID, "canceled"} and intent["last_payment_error"]:
        raise Declined(intent["last_payment_error"].get("message") or "The card was declined.")
    if intent["status"] == "canceled":
        raise Refused(f"{intent['id']} was closed")


def is_intent(session_ref: str) -> bool:
    return session_ref.startswith("pi_")


def refund_seen(refund: Plain) -> RefundSeen:
    return RefundSeen(
        reference=refund["id"],
        refund_id=as_uuid((refund["metadata"] or {}).get("refund_id")),
        amount=refund["amount"],
        state=REFUND_STATES.get(refund["status"], RefundState.ASKED),
    )


def same_amount(made: RefundSeen, amount: int) -> RefundSeen:
    if made.amount != amount:
        raise Refused(f"{made.reference} was made for {made.amount} paise, not for {amount}")
    return made


def as_uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None


def translated(error: stripe.StripeError) -> ProviderError:
    """Of errors that say nothing of the payment, such as those of a wrong key, none is final."""
    message = error.user_message or str(error)
    match error:
        case stripe.RateLimitError():
            return TooMany(message)
        case stripe.CardError():
            return Declined(message)
        case stripe.InvalidRequestError() | stripe.IdempotencyError():
            return Refused(message, error.code or "")
        case _:
            return Unreachable(message)

"""Stripe, through its own SDK. The bank of `make up` speaks the same protocol.

A session has one intent, which is made when somebody begins to pay; so is a customer, for this
session alone. Should other money of the payment appear, then as an intent of that customer, and
those are listed. Lists are complete at once; Stripe's search is not, and does not exist for
merchants in India.
"""

from uuid import UUID

import stripe

from checkout.payments.base import (
    BadHook,
    Hint,
    Invitation,
    MethodRefused,
    Money,
    RefundSeen,
    Session,
)
from checkout.payments.stripe_data import (
    INTENT_STATES,
    MALFORMED,
    Plain,
    as_uuid,
    check_paid,
    intent_parameters,
    is_intent,
    refund_seen,
    same_amount,
    session_parameters,
    was_tried,
)
from checkout.payments.stripe_reader import SEEN_WITH_INTENT, StripeReader

HOOK_SECONDS = 300


class Stripe(StripeReader):
    """Safe for threads. Each method takes `seconds` at most, whatever the number of its calls."""

    def open(self, invitation: Invitation) -> Session:
        with self._calls():
            session = self._api.checkout.sessions.create(
                session_parameters(invitation, self._zone),
                {"idempotency_key": f"session-{invitation.payment_id}"},
            )
        return Session(reference=session.id, url=session.url or "")

    def close_lets_money_go(self, session_ref: str) -> bool:
        return is_intent(session_ref)

    def close(self, session_ref: str) -> None:
        with self._calls():
            if is_intent(session_ref):
                self._close_intent(session_ref)
                return
            try:
                self._api.checkout.sessions.expire(session_ref)
            except stripe.InvalidRequestError:
                if self._api.checkout.sessions.retrieve(session_ref).status == "open":
                    raise

    def _close_intent(self, reference: str) -> None:
        # Stripe would end an authorisation too, which has been paid.
        if self._intent(reference)["status"] in INTENT_STATES:
            return
        try:
            self._cancel(reference)
        except stripe.InvalidRequestError:
            if self._intent(reference)["status"] not in INTENT_STATES:
                raise

    def _cancel(self, reference: str) -> None:
        self._api.payment_intents.cancel(reference)

    def capture(self, reference: str, amount: int) -> Money:
        """Without a key: it would repeat the answer to an earlier try for a day. The intent's own
        state lets a capture happen once."""
        with self._calls():
            try:
                intent = self._call(
                    "post", "payment_intents", reference, "capture",
                    amount_to_capture=amount, expand=SEEN_WITH_INTENT,
                )  # fmt: skip
            except stripe.InvalidRequestError:
                intent = self._intent(reference)
                if (intent["status"], intent["amount_received"]) != ("succeeded", amount):
                    raise
            (money,) = self._money([intent])
            return money

    def void(self, reference: str) -> None:
        with self._calls():
            try:
                self._cancel(reference)
            except stripe.InvalidRequestError:
                if self._intent(reference)["status"] != "canceled":
                    raise

    def refund(self, reference: str, refund_id: UUID, amount: int) -> RefundSeen:
        with self._calls():
            # Keys are forgotten after a day; what was made is listed for ever. The key is for two
            # who ask at once.
            for made in self._all_refunds(reference):
                if made.refund_id == refund_id:
                    return same_amount(made, amount)
            refund = self._api.refunds.create(
                {
                    "payment_intent": reference,
                    "amount": amount,
                    "metadata": {"refund_id": str(refund_id)},
                },
                {"idempotency_key": f"refund-{refund_id}"},
            )
            return refund_seen(refund.to_dict())

    def prepare(self, invitation: Invitation) -> Session:
        with self._calls():
            intent = self._api.payment_intents.create(
                intent_parameters(invitation),
                {"idempotency_key": f"intent-{invitation.payment_id}"},
            )
        return Session(reference=intent.id, url="")

    def pay(self, session_ref: str, invitation: Invitation, payment_method: str) -> None:
        """Cards are authorised, as on the page: nothing is captured for a hold that has died. What
        was tried is seen at the intent itself, however long ago."""
        with self._calls():
            intent: Plain = self._intent(session_ref)
            if not was_tried(intent):
                intent = self._confirm(session_ref, invitation, payment_method)
            check_paid(intent)

    def _confirm(self, reference: str, invitation: Invitation, payment_method: str) -> Plain:
        """The key is for two who try at once."""
        try:
            return self._api.payment_intents.confirm(
                reference,
                {"payment_method": payment_method, "return_url": invitation.success_url},
                {"idempotency_key": f"pay-{invitation.payment_id}"},
            ).to_dict()
        except (stripe.InvalidRequestError, stripe.IdempotencyError) as error:
            # Another may have been first.
            intent = self._intent(reference)
            if not was_tried(intent):
                raise MethodRefused(error.user_message or str(error), error.code or "") from error
            return intent

    def hint(self, body: bytes, signature: str) -> Hint:
        """A dispute, and a refund, name their intent only."""
        try:
            event = stripe.Webhook.construct_event(
                body, signature, self._hook_secret, tolerance=HOOK_SECONDS
            )
            about = event.to_dict()["data"]["object"]
        except (stripe.SignatureVerificationError, *MALFORMED) as error:
            raise BadHook(f"a webhook that {self.name} did not send: {error}") from error
        payment_id = as_uuid((about.get("metadata") or {}).get("payment_id"))
        intent = about.get("payment_intent")
        return Hint(payment_id=payment_id, reference=intent if isinstance(intent, str) else "")

"""Payment on delivery: no page to pay at, and no money that could be lost. The order is placed at
once, by a charge whose reference is the order's number."""

from typing import NoReturn
from uuid import UUID

from checkout.models import Order, Payment
from checkout.payments.base import (
    BadHook,
    Fact,
    Invitation,
    Money,
    RefundSeen,
    RefundState,
    Refused,
    Seen,
    Session,
    SessionState,
)


class PaidOnDelivery:
    name = "none"
    origin = ""
    plain_method = ""

    def open(self, invitation: Invitation) -> Session:
        return Session(reference=str(invitation.payment_id), url=invitation.success_url)

    def look(self, payment_id: UUID, session_ref: str) -> Seen:  # noqa: ARG002
        order = Payment.objects.select_related("order").get(pk=payment_id).order
        if order.state == Order.State.DROPPED:
            return Seen(session=SessionState.EXPIRED, money=())
        due = Money(
            reference=order.number,
            amount=order.total_paise,
            currency="INR",
            fact=Fact.CAPTURED,
            refunds=(),
            disputed_at=None,
        )
        return Seen(session=SessionState.COMPLETE, money=(due,))

    def close_lets_money_go(self, session_ref: str) -> bool:  # noqa: ARG002
        return False

    def close(self, session_ref: str) -> None:
        """There is no page."""

    def capture(self, reference: str, amount: int) -> NoReturn:
        raise Refused(f"{amount} of {reference} is collected on delivery")

    def void(self, reference: str) -> None:
        """Nothing was authorised."""

    def refund(self, reference: str, refund_id: UUID, amount: int) -> RefundSeen:
        """Nothing was paid yet, or it is refunded in cash."""
        reference = str(refund_id)
        return RefundSeen(
            reference=reference, refund_id=refund_id, amount=amount, state=RefundState.DONE
        )

    def prepare(self, invitation: Invitation) -> Session:
        return Session(reference=str(invitation.payment_id), url="")

    def pay(self, session_ref: str, invitation: Invitation, payment_method: str) -> None:
        """It is paid when it is delivered."""

    def hint(self, body: bytes, signature: str) -> NoReturn:  # noqa: ARG002
        raise BadHook("No provider sends messages.")

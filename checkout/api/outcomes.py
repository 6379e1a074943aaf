"""The outcome of a program's payment. It is read from the states of the payment, its order and the
reservation, so each retry gets the same answer, at whatever step the request before it ended."""

from allo.api_kit.api import invalid
from checkout import settle
from checkout.api import answers
from checkout.models import Charge, Order, Payment
from checkout.orders import opening
from checkout.payments.base import (
    AuthenticationNeeded,
    Declined,
    MethodRefused,
    ProviderError,
    Refused,
)
from checkout.payments.providers import provider
from reservations import services
from reservations.engine.idempotency import Reply
from reservations.exceptions import NotPending, ReservationExpired
from reservations.models import Reservation


def pay(payment: Payment, method: str | None) -> Reply:
    """Pays it, if that was not done yet. Without a method, the buyer has to pay on the provider's
    page. Raises `ProviderError` while the outcome is unknown, `Problem` for an invalid method, and
    a `ReservationError` if the reservation ended without this payment."""
    try:
        unsold = None if _is_taken(payment) else _try(payment, method)
    except Declined:
        return answers.as_reply(answers.PAYMENT_DECLINED)
    held = services.get(reservation_id=payment.order.order_lines.get().reservation_id)
    if _is_taken(payment):
        return answers.sold(held, payment.order)
    _check_pending(held)
    payment.refresh_from_db()
    undecided = answers.PAYMENT_ENDED if payment.given_up_at else answers.PAYMENT_UNDECIDED
    return unsold or answers.as_reply(undecided)


def is_declined(payment: Payment, method: str) -> bool:
    """Raises `ProviderError` if that cannot be known."""
    try:
        _call(payment, method)
    except Declined:
        return True
    except (AuthenticationNeeded, Refused):
        pass
    return False


def _try(payment: Payment, method: str | None) -> Reply | None:
    """Tries to pay; returns why it is not sold, if the payment itself shows that."""
    try:
        payment = opening.begun(payment, page=method is None)
        if method is None:
            return _on_page(payment)
        _call(payment, method)
        _settle(payment)
    except AuthenticationNeeded as needed:
        return answers.to_approve(needed)
    except MethodRefused as refusal:
        raise invalid([("payment_method", str(refusal))]) from refusal
    except Refused:
        return answers.as_reply(answers.PAYMENT_ENDED)
    return None


def _call(payment: Payment, method: str) -> None:
    if payment.session_ref is None:
        raise Refused("it was closed before it was opened")
    invitation = opening.invitation(payment)
    provider(payment.provider).pay(payment.session_ref, invitation, method)


def _on_page(payment: Payment) -> Reply | None:
    was_closed = payment.closed_at is not None
    # Its buyer may have paid meanwhile.
    _settle(payment)
    payment.refresh_from_db()
    if payment.order.state != Order.State.OPEN:
        return None
    if payment.closed_at is None:
        return answers.as_reply(answers.PAYMENT_REQUIRED, checkout_url=payment.url)
    return answers.as_reply(answers.PAYMENT_ENDED) if was_closed else None


def _settle(payment: Payment) -> None:
    try:
        settle.settle(payment.pk)
    except ProviderError:
        # The decision about the money is committed; the clock does what follows from it.
        if not _is_taken(payment):
            raise


def _is_taken(payment: Payment) -> bool:
    return payment.charges.filter(decision=Charge.Decision.TAKE).exists()


def _check_pending(held: Reservation) -> None:
    if held.status == Reservation.Status.EXPIRED:
        raise ReservationExpired
    if not held.is_pending:
        raise NotPending(held.status, by_staff=bool(held.withdrawn))

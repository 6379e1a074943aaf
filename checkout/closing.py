"""Ends a payment at its provider, so that nobody can pay it any more."""

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from checkout.models import Charge, Order, Payment
from checkout.payments.providers import provider


def close(payment: Payment) -> None:
    """The payment may also be one whose money is taken: that stays as it is. Raises
    `ProviderError`."""
    if payment.session_ref is None:
        return
    bank = provider(payment.provider)
    if not bank.close_lets_money_go(payment.session_ref) or _give_up(payment):
        bank.close(payment.session_ref)


def is_missed(payment: Payment) -> bool:
    """Whether its page was not opened in time. Its holds may have been lengthened since, but a
    provider refuses a page that ends so soon. By the clock of this machine."""
    return payment.session_ref is None and payment.expires_at <= timezone.now()


def close_missed(payment: Payment) -> bool:
    """Nobody was given an address to pay it at. Returns False if it was opened meanwhile. The
    caller has locked its order, under which another one can be made."""
    unopened = Payment.objects.filter(pk=payment.pk, session_ref=None, closed_at=None)
    return bool(unopened.update(closed_at=Now(), look_at=Now()))


@transaction.atomic
def _give_up(payment: Payment) -> bool:
    """Decides that money of this payment is never taken; returns False if some was taken already.
    Until the payment is closed it may be paid at any moment. Without this decision another request
    could take that money for the order, and closing would then void it."""
    # Everything about the order's money is decided under this lock.
    Order.objects.locking().get(pk=payment.order_id)
    if Charge.objects.filter(payment=payment, decision=Charge.Decision.TAKE).exists():
        return False
    Payment.objects.filter(pk=payment.pk, given_up_at=None).update(given_up_at=Now())
    return True

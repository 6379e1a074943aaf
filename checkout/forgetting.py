"""What the clock forgets about those who bought or began to."""

from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from allo import pruning
from checkout.models import Charge, Contact, Order, Payment
from checkout.models.order_triggers import BUYER
from reservations.clock.forgetting import nobody, walk, walk_ended
from reservations.models import Reservation

UNSOLD = (Reservation.Status.RELEASED, Reservation.Status.EXPIRED)
SOLD = (Reservation.Status.CONFIRMED,)
# No year is longer.
YEAR = timedelta(days=366)


def forget_drafts() -> None:
    """What was typed for holds that were not bought."""
    ago = timezone.now() - timedelta(days=settings.KEEP_DRAFTS_DAYS)
    walk_ended("drafts", ago, forget_contacts, of=UNSOLD)


def forget_buyers() -> None:
    """Orders and sales stay, without the person. An order is forgotten before what it sold."""
    ago = timezone.now() - settings.ORDER_RETENTION_YEARS * YEAR
    walk("buyers", Order.objects.all(), "opened_at", ago, _forget_buyers)
    walk_ended("buyers", ago, forget_contacts, of=SOLD)


def mark_receipts() -> None:
    """The outbox deletes messages that are so old. The mark is how far it may have come: the audit
    of money expects no receipt before it, also when messages are kept for longer from then on."""
    ago = timezone.now() - timedelta(days=settings.KEEP_MESSAGES_DAYS)
    walk("receipts", Order.objects.none(), "paid_at", ago, lambda _: None)


def forget_contacts(ended: QuerySet[Reservation]) -> None:
    Contact.objects.filter(reservation__in=ended.order_by().values("pk")).delete()


def _forget_buyers(old: QuerySet[Order]) -> None:
    keys = list(old.order_by().values_list("pk", flat=True))
    locked = Order.objects.filter(pk__in=keys).locking()
    found = Order.objects.filter(pk__in=[order.pk for order in locked.only("pk")])
    found.update(**dict.fromkeys(BUYER, ""), account=None, holder=nobody())


def delete_dropped() -> None:
    """Deletes orders that were never paid, with all their parts."""
    ago = timezone.now() - timedelta(days=settings.KEEP_DROPPED_ORDERS_DAYS)
    # An order is made before it is dropped: the first condition bounds how much of the index is
    # read.
    old = Order.objects.filter(opened_at__lt=ago, dropped_at__lt=ago)
    while delete_unpaid(old):
        pass


@transaction.atomic
def delete_unpaid(orders: QuerySet[Order]) -> int:
    """Deletes a portion of the orders that were dropped without money; returns how many. One whose
    payment is still looked at is kept, as its money could arrive."""
    unpaid = orders.filter(
        ~Exists(Charge.objects.filter(order=OuterRef("pk"))),
        ~Exists(Payment.objects.filter(order=OuterRef("pk"), look_at__isnull=False)),
        state=Order.State.DROPPED,
    )
    # Rows that a transaction about money has locked are left to the next run. The conditions are
    # checked again by the second statement, which sees what was committed meanwhile.
    portion = unpaid.order_by().select_for_update(of=("self",), skip_locked=True)
    keys = list(portion.values_list("pk", flat=True)[: pruning.PORTION])
    # A trigger of the order deletes its parts; Django would query each kind of part first.
    deleted: int = unpaid.filter(pk__in=keys).order_by()._raw_delete("default")
    return deleted

"""All rows that belong to an account's person, for the download and for deleting."""

from axes.models import AccessLog
from django.contrib.auth.models import User
from django.db.models import Q, QuerySet

from allo.accounts.models import Account
from allo.outbox.models import Message
from checkout.models import Contact, Order, OrderQuerySet
from reservations.models import (
    AdoptedHolder,
    Reservation,
    ReservationQuerySet,
    WaitingEntry,
    WaitingEntryQuerySet,
)


def holders_of(account: Account) -> list[str]:
    """The account, the browsers in which it signed in, and its offers from waiting lists."""
    adopted = AdoptedHolder.objects.filter(account=account.holder)
    offered = entries_of(account).filter(offer__isnull=False)
    names = adopted.values_list("holder", flat=True)
    return [account.holder, *names, *(entry.holder for entry in offered)]


def entries_of(account: Account) -> WaitingEntryQuerySet:
    """On waiting lists, under its address."""
    return WaitingEntry.objects.filter(email_key=account.email_key)


def reservations_of(account: Account) -> ReservationQuerySet:
    return Reservation.objects.filter(holder__in=holders_of(account))


def contacts_of(account: Account) -> QuerySet[Contact]:
    return Contact.objects.filter(reservation__in=reservations_of(account).order_by().values("pk"))


def orders_of(account: Account) -> OrderQuerySet:
    """Those of its browsers too, unless another account has them."""
    its_browsers = Q(holder__in=holders_of(account), account=None)
    return Order.objects.filter(Q(account=account.pk) | its_browsers)


def messages_of(account: Account) -> QuerySet[Message]:
    """Mail to its address; mail about an order is in `checkout.mail`."""
    return Message.objects.filter(to__iexact=account.user.email)


def log_of(user: User) -> QuerySet[AccessLog]:
    """When somebody signed in and out, as axes notes it of everybody."""
    found: QuerySet[AccessLog] = AccessLog.objects.filter(username=user.username)
    return found

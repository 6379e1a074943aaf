"""What the verbs of the waiting list refuse. The checks raise refusals."""

from collections.abc import Collection

from django.conf import settings
from django.db.models import F, Q
from django.utils import timezone

from catalog.models import Product
from inventory.free import FOR_LIST
from inventory.models import Inventory
from reservations.engine import counting, limits
from reservations.engine.limits import Customer
from reservations.exceptions import NotOpen
from reservations.list_exceptions import AlreadyWaiting, ListClosed, NotWanted, TooManyEntries
from reservations.models import OPEN, ListClosure, Reservation, WaitingEntry, WaitingEntryQuerySet
from reservations.waiting.lists import LockedList

# On the list, or offered something and yet to decide.
STILL_SERVED = OPEN | Q(offer__status=Reservation.Status.PENDING)


def closure_of(product_id: int) -> ListClosure | None:
    """The closure of the product's list, or None while it is open."""
    return ListClosure.objects.filter(product=product_id, reopened_at=None).first()


def check_new(entry: WaitingEntry, *, is_proved: bool) -> None:
    """`is_proved`: whether the address is known to be the person's."""
    if entry.quantity < 1:
        raise ValueError(f"nobody waits for {entry.quantity} units")
    _check_list_of(entry)
    checks = [_check_has_to_wait, check_network, check_person]
    # The person last, unless the address is proved: a refusal must not tell who is on the list.
    for check in reversed(checks) if is_proved else checks:
        check(entry)


def _check_list_of(entry: WaitingEntry) -> None:
    """Whether anybody may join this list for so many."""
    product = entry.product
    limits.check("RESERVATION_MAX_UNITS", entry.quantity, settings.RESERVATION_MAX_UNITS)
    limits.check("max_per_customer", entry.quantity, product.max_per_customer or 0)
    _check_open(product)
    check_not_closed(product.pk)


def _check_open(product: Product) -> None:
    """Before an opening nobody joins: those in its waiting room are let in by lot, and those on the
    list would be served before them."""
    if product.opens_at and product.opens_at > (now := timezone.now()):
        raise NotOpen(product.opens_at, now)


def check_person(entry: WaitingEntry) -> None:
    """W4"""
    if mine := _others(entry).filter(email_key=entry.email_key).first():
        raise AlreadyWaiting(mine)


def check_network(entry: WaitingEntry) -> None:
    most = settings.WAITING_PER_NETWORK
    if most and entry.network and _others(entry).filter(network=entry.network).count() >= most:
        raise TooManyEntries(most)


def _others(entry: WaitingEntry) -> WaitingEntryQuerySet:
    return WaitingEntry.objects.with_offer().filter(STILL_SERVED, product=entry.product_id)


def check_not_closed(product_id: int) -> None:
    if closure := closure_of(product_id):
        raise ListClosed(closure.reason)


def _check_has_to_wait(entry: WaitingEntry) -> None:
    """An offer lasts longer than a hold, and is outside some limits: nobody gets one of units that
    everybody can reserve."""
    needs = entry.quantity if entry.exactly else 1
    free = Inventory.objects.filter(~FOR_LIST, total_units__gte=F("reserved_units") + needs)
    if entry.warehouse_id is not None:
        free = free.filter(warehouse=entry.warehouse_id)
    if free.filter(product=entry.product_id).exists():
        raise NotWanted


def check_customer(the_list: LockedList, entry: WaitingEntry, names: Collection[str]) -> None:
    """What the shopper bought or holds of it, under any name, and by earlier offers."""
    if not (most := entry.product.max_per_customer):
        return
    earlier = WaitingEntry.objects.filter(email_key=entry.email_key, product=entry.product_id)
    offers = (each.holder for each in earlier.filter(offer__isnull=False))
    customer = Customer(frozenset((*names, *offers)), tuple(the_list.books.stocks))
    counting.count(the_list.books, customer)
    _, units = the_list.books.customers[customer]
    limits.check("max_per_customer", sum(units.values()) + entry.quantity, most)

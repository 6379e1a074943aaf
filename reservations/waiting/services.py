"""The verbs of the waiting list. Each is one transaction, and raises a `ReservationError` when it
refuses. To decline an offer is to release it (`reservations.services.release`)."""

from collections.abc import Collection
from contextlib import suppress
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone

from allo.outbox import services as outbox
from allo.outbox.addresses import checked, key_of
from catalog.models import Product
from inventory.free import FOR_LIST
from inventory.models import Inventory
from reservations.engine import counting, limits
from reservations.engine.limits import Customer
from reservations.exceptions import Busy, NotOpen
from reservations.list_exceptions import (
    AlreadyWaiting,
    ListClosed,
    NotWaiting,
    NotWanted,
    TooManyEntries,
)
from reservations.models import OPEN, ListClosure, Reservation, WaitingEntry, WaitingEntryQuerySet
from reservations.waiting import mail, sql
from reservations.waiting.lists import OFFERS_AT_ONCE, LockedList, on_list

State = WaitingEntry.State
# On the list, or offered something and yet to decide.
STILL_SERVED = OPEN | Q(offer__status=Reservation.Status.PENDING)


def join(
    *,
    product_id: int,
    warehouse_id: int | None,
    quantity: int,
    exactly: bool,
    email: str,
    network: str,
    confirmed: bool,
    names: Collection[str] = (),
    since: datetime | None = None,
) -> WaitingEntry:
    """Asks for up to `quantity` units, or exactly so many, of any warehouse or of one. It is on the
    list when `confirmed`, which an account's own address is; otherwise `confirm` puts it there.
    What is free by then is offered at once. `names` are the shopper's other names as a holder.
    `since` claims the place of that moment, which one entry gets; without it the place is at the
    end.

    Raises `NotOpen`, `NotWanted`, `ListClosed`, `AlreadyWaiting`, `TooManyEntries`, `LimitReached`,
    `Busy`; `BadAddress`; `Product.DoesNotExist` if it is not in the shop.
    """
    entry = WaitingEntry(
        product=Product.objects.published().get(pk=product_id),
        warehouse_id=warehouse_id,
        quantity=quantity,
        exactly=exactly,
        email=checked(email),
        email_key=key_of(email),
        network=network,
        waiting_since=since,
    )
    _check(entry, is_proved=confirmed)
    with transaction.atomic():
        entry.save(force_insert=True)
        return confirm(entry_id=entry.pk, names=names) if confirmed else get(entry_id=entry.pk)


def confirm(*, entry_id: UUID, names: Collection[str] = ()) -> WaitingEntry:
    """Puts it on the list; a second time changes nothing. Raises as `join`, but not
    `NotOpen` or `NotWanted`; `NotWaiting` if it has ended; `WaitingEntry.DoesNotExist`."""
    with on_list(get(entry_id=entry_id).product_id) as the_list:
        entry = get(entry_id=entry_id)
        if entry.state == State.UNCONFIRMED:
            _check_not_closed(entry.product_id)
            _check_person(entry)
            _check_network(entry)
            _check_customer(the_list, entry, names)
            the_list.put_on(entry)
        elif entry.state not in (State.WAITING, State.OFFERED):
            raise NotWaiting(entry.state)
    return get(entry_id=entry_id)


def leave(*, entry_id: UUID) -> WaitingEntry:
    """Ends it; a second time changes nothing. Raises `NotWaiting` if it ended in another way or was
    offered something (decline that: `release`), `Busy`, `WaitingEntry.DoesNotExist`."""
    with on_list(get(entry_id=entry_id).product_id) as the_list:
        entry = get(entry_id=entry_id)
        if entry.state in (State.UNCONFIRMED, State.WAITING):
            the_list.end(WaitingEntry.objects.filter(pk=entry_id), WaitingEntry.End.LEFT)
        elif entry.state != State.LEFT:
            raise NotWaiting(entry.state)
    return get(entry_id=entry_id)


def close(*, product_id: int, reason: str, by: User) -> ListClosure:
    """Ends all that wait, and tells them the reason by mail; what is offered stays. Raises
    `ListClosed` if it is closed already, `Busy`."""
    with on_list(product_id) as the_list:
        _check_not_closed(product_id)
        closure = ListClosure.objects.create(product_id=product_id, reason=reason, actor=by)
        left = WaitingEntry.objects.filter(product=product_id, offer=None, ended_at=None)
        outbox.put_all(map(mail.closed_letter, left.open()))
        the_list.end(left, WaitingEntry.End.CLOSED)
    return closure


def reopen(*, product_id: int, by: User) -> None:
    """Lets people join again. A second time changes nothing."""
    closed = ListClosure.objects.filter(product=product_id, reopened_at=None)
    closed.update(reopened_at=Now(), reopened_by=by)


def move(*, email_key: str, email: str) -> None:
    """Makes a person's entries those of another address of the same person, but for where that one
    waits itself (W4)."""
    key = key_of(email)
    waits = WaitingEntry.objects.open().filter(email_key=key).values("product")
    mine = WaitingEntry.objects.filter(email_key=email_key).exclude(OPEN, product__in=waits)
    mine.update(email=email, email_key=key)


def serve(product_id: int) -> int:
    """Makes the offers whose turn it is; returns how many. Raises `Busy`, `Storage`: then those
    that were made stay."""
    offers = 0
    while True:
        with on_list(product_id, patient=False) as the_list:
            pass
        offers += len(the_list.offered)
        if len(the_list.offered) < OFFERS_AT_ONCE:
            return offers


def serve_all() -> int:
    """`serve`, of each product of which something is free for its list: the net under what serves
    at once. One whose rows are busy is left to the next time."""
    offers = 0
    with connection.cursor() as cursor:
        products = cursor.execute(sql.TO_SERVE).fetchall()
    for (product_id,) in products:
        with suppress(Busy):
            offers += serve(product_id)
    return offers


# --- what pages read ----------------------------------------------------------------------------


def get(*, entry_id: UUID) -> WaitingEntry:
    """With its product, warehouse and offer. Raises `WaitingEntry.DoesNotExist`."""
    return WaitingEntry.objects.with_offer().get(pk=entry_id)


def entries_of(email: str) -> list[WaitingEntry]:
    """Of a person, by any spelling of a checked address; the latest first."""
    return list(WaitingEntry.objects.with_offer().filter(email_key=key_of(email)))


def place_of(entry: WaitingEntry) -> int:
    """Of an open entry, in its list: 1 is the first."""
    upto = WaitingEntry.objects.open().filter(waiting_since__lte=entry.waiting_since)
    return upto.filter(product=entry.product_id).count()


def length_of(product_id: int) -> int:
    """How many wait."""
    return WaitingEntry.objects.open().filter(product=product_id).count()


def closure_of(product_id: int) -> ListClosure | None:
    """If the list is closed."""
    return ListClosure.objects.filter(product=product_id, reopened_at=None).first()


# --- rules --------------------------------------------------------------------------------------


def _check(entry: WaitingEntry, *, is_proved: bool) -> None:
    if entry.quantity < 1:
        raise ValueError(f"nobody waits for {entry.quantity} units")
    _check_list_of(entry)
    checks = [_check_has_to_wait, _check_network, _check_person]
    # The person last, unless the address is proved: a refusal must not tell who is on the list.
    for check in reversed(checks) if is_proved else checks:
        check(entry)


def _check_list_of(entry: WaitingEntry) -> None:
    """Whether anybody may join this list for so many."""
    product = entry.product
    limits.check("RESERVATION_MAX_UNITS", entry.quantity, settings.RESERVATION_MAX_UNITS)
    limits.check("max_per_customer", entry.quantity, product.max_per_customer or 0)
    _check_open(product)
    _check_not_closed(product.pk)


def _check_open(product: Product) -> None:
    """Those who wait for an opening are let in by lot: no list goes before them."""
    if product.opens_at and product.opens_at > (now := timezone.now()):
        raise NotOpen(product.opens_at, now)


def _check_person(entry: WaitingEntry) -> None:
    """W4"""
    if mine := _others(entry).filter(email_key=entry.email_key).first():
        raise AlreadyWaiting(mine)


def _check_network(entry: WaitingEntry) -> None:
    most = settings.WAITING_PER_NETWORK
    if most and entry.network and _others(entry).filter(network=entry.network).count() >= most:
        raise TooManyEntries(most)


def _others(entry: WaitingEntry) -> WaitingEntryQuerySet:
    return WaitingEntry.objects.with_offer().filter(STILL_SERVED, product=entry.product_id)


def _check_not_closed(product_id: int) -> None:
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


def _check_customer(the_list: LockedList, entry: WaitingEntry, names: Collection[str]) -> None:
    """What the shopper bought or holds of it, under any name, and by earlier offers."""
    if not (most := entry.product.max_per_customer):
        return
    earlier = WaitingEntry.objects.filter(email_key=entry.email_key, product=entry.product_id)
    offers = (each.holder for each in earlier.filter(offer__isnull=False))
    customer = Customer(frozenset((*names, *offers)), tuple(the_list.books.stocks))
    counting.count(the_list.books, customer)
    _, units = the_list.books.customers[customer]
    limits.check("max_per_customer", sum(units.values()) + entry.quantity, most)

"""The verbs of the waiting list. Each is one transaction, and raises a `ReservationError` when it
refuses. To decline an offer is to release it (`reservations.services.release`)."""

from collections.abc import Collection
from contextlib import suppress
from datetime import datetime
from uuid import UUID

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models.functions import Now

from allo.outbox import services as outbox
from allo.outbox.addresses import checked, key_of
from allo.pruning import PORTION
from catalog.models import Product
from reservations.exceptions import Busy
from reservations.list_exceptions import NotWaiting
from reservations.models import OPEN, ListClosure, WaitingEntry, WaitingEntryQuerySet
from reservations.waiting import mail, rules, sql
from reservations.waiting.lists import on_list

State = WaitingEntry.State


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
    """Makes an entry for up to `quantity` units, or `exactly` so many, from one warehouse or from
    any. It is on the list at once if the address is `confirmed`, as an account's own is; otherwise
    `confirm` puts it there. What is available then is offered at once. `names` are the shopper's
    other names as a holder. `since` claims the place of that moment, which only one entry gets;
    without it the place is at the end.

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
    rules.check_new(entry, is_proved=confirmed)
    with transaction.atomic():
        entry.save(force_insert=True)
        return confirm(entry_id=entry.pk, names=names) if confirmed else get(entry_id=entry.pk)


def confirm(*, entry_id: UUID, names: Collection[str] = ()) -> WaitingEntry:
    """Puts it on the list; a second time changes nothing. Raises as `join`, but not
    `NotOpen` or `NotWanted`; `NotWaiting` if it has ended; `WaitingEntry.DoesNotExist`."""
    with on_list(get(entry_id=entry_id).product_id) as the_list:
        entry = get(entry_id=entry_id)
        if entry.state == State.UNCONFIRMED:
            rules.check_not_closed(entry.product_id)
            rules.check_person(entry)
            rules.check_network(entry)
            rules.check_customer(the_list, entry, names)
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
            the_list.tell(entry)
        elif entry.state != State.LEFT:
            raise NotWaiting(entry.state)
    return get(entry_id=entry_id)


def close(*, product_id: int, reason: str, by: User) -> ListClosure:
    """Ends all that wait, and tells them the reason by mail; what is offered stays. Raises
    `ListClosed` if it is closed already, `Busy`."""
    with on_list(product_id) as the_list:
        rules.check_not_closed(product_id)
        closure = ListClosure.objects.create(product_id=product_id, reason=reason, actor=by)
        left = WaitingEntry.objects.filter(product=product_id, offer=None, ended_at=None)
        outbox.put_all(map(mail.closed_letter, left.open()))
        the_list.end(left, WaitingEntry.End.CLOSED)
    return closure


def reopen(*, product_id: int, by: User) -> bool:
    """Lets people join again. False if it is open."""
    closed = ListClosure.objects.filter(product=product_id, reopened_at=None)
    return bool(closed.update(reopened_at=Now(), reopened_by=by))


def move(*, email_key: str, email: str) -> None:
    """Gives a person's entries another address of the same person. On lists where that address
    has an open entry itself (W4), `unite` does it."""
    key = key_of(email)
    waits = WaitingEntry.objects.open().filter(email_key=key).values("product")
    mine = WaitingEntry.objects.filter(email_key=email_key).exclude(OPEN, product__in=waits)
    mine.update(email=email, email_key=key)


def unite(*, email_key: str, email: str) -> None:
    """Moves the open entries that `move` left: of the two places on a list the later one ends. Each
    list is a transaction of its own. Raises `Busy`: then the other lists stay as they were."""
    key = key_of(email)
    left = WaitingEntry.objects.open().filter(email_key=email_key).order_by("product")
    for product_id in list(left.values_list("product", flat=True)):
        with on_list(product_id) as the_list:
            theirs = WaitingEntry.objects.filter(product=product_id)
            both = theirs.open().filter(email_key__in=(email_key, key))
            places = list(both.in_order().values_list("pk", flat=True))
            the_list.end(both.filter(pk__in=places[1:]), WaitingEntry.End.LEFT)
            theirs.filter(email_key=email_key).update(email=email, email_key=key)


def forget(entries: WaitingEntryQuerySet) -> None:
    """Deletes entries that are not open, and the mail about them that was not sent yet."""
    while _forget(entries):
        pass


@transaction.atomic
def _forget(entries: WaitingEntryQuerySet) -> int:
    # Locked, as one of them may be confirmed meanwhile.
    locked = entries.order_by("pk").select_for_update(of=("self",)).values_list("pk", flat=True)
    keys = list(locked[:PORTION])
    WaitingEntry.objects.filter(pk__in=keys).delete()
    # Last, to find what was written until these rows were locked.
    mail.delete_unsent(keys)
    return len(keys)


def serve(product_id: int) -> int:
    """Makes the offers whose turn it is; returns how many. Raises `Busy` or `Storage`; what was
    offered before that stays."""
    offers = 0
    while True:
        with on_list(product_id, patient=False) as the_list:
            pass
        offers += len(the_list.offered)
        if not the_list.has_more:
            return offers


def serve_all() -> int:
    """Calls `serve` for each product with units available for its list, in case the process that
    freed them died before it served. A product whose rows are busy waits for the next call."""
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

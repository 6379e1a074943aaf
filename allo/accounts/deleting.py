"""Deletes an account: what it holds is released, and everything that names its person is erased,
except orders that were paid. Those stay, as the law asks, without the account, until the clock
removes the person from them (`checkout.forgetting`)."""

from collections.abc import Sequence
from contextlib import suppress

from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import ProtectedError
from django.utils import timezone

from allo import pruning
from allo.accounts import flow, persons
from allo.accounts.models import Account, DeletedAccount
from allo.codes.models import EmailCode
from allo.outbox import services as outbox
from checkout import forgetting, looking
from checkout.models import Order, OrderEvent
from reservations import services
from reservations.clock.forgetting import forget_holders, forget_networks, nobody
from reservations.exceptions import NotPending, ReservationExpired
from reservations.list_exceptions import NotWaiting
from reservations.models import OPEN, AdoptedHolder, Reservation
from reservations.waiting import services as waiting

EVENT = "delete account"
WHY_KEPT = "Kept because the law asks for the record of a sale"


class StillPaying(Exception):
    """An order waits for its payment: its money may arrive at any moment."""

    def __init__(self, order: Order) -> None:
        super().__init__()
        self.order = order


class IsStaffs(Exception):
    """The account did something as staff, and that record is kept."""


def delete(account: Account) -> None:
    """Raises `StillPaying`, `IsStaffs`, `Busy`. What was released and erased until then stays so,
    and a second try continues."""
    _settle(account)
    _release(account)
    _forget(account)
    _erase(account)


def _settle(account: Account) -> None:
    """Looks at each open payment, so that what was paid meanwhile is an order."""
    for order in persons.orders_of(account).filter(state=Order.State.OPEN):
        _check(looking.look(order))


def _check(order: Order) -> None:
    if order.state == Order.State.OPEN:
        raise StillPaying(order)


def _release(account: Account) -> None:
    for entry in persons.entries_of(account).open():
        # An offer that was made meanwhile is released with the rest.
        with suppress(NotWaiting):
            waiting.leave(entry_id=entry.pk)
    for held in persons.reservations_of(account).pending():
        # Another page may have sold it meanwhile: then it is on an order, which stays.
        with suppress(NotPending, ReservationExpired):
            services.release(reservation_id=held.pk)


def _forget(account: Account) -> None:
    """Removes the holder, the network and what was typed from reservations that have ended; a
    portion at a time, as there may be many."""
    ended = persons.reservations_of(account).ended().order_by("pk")
    while keys := list(ended.values_list("pk", flat=True)[: pruning.PORTION]):
        portion = Reservation.objects.filter(pk__in=keys)
        with transaction.atomic():
            forget_networks(portion)
            forget_holders(portion)
            # Contacts after their reservations, in the lock order: another tab may be storing a
            # draft, which locks the reservation first.
            forgetting.forget_contacts(portion.filter(status__in=forgetting.UNSOLD))


@transaction.atomic
def _erase(account: Account) -> None:
    # Orders are locked before the person, as by a sign-in that takes over orders. Of two requests
    # one deletes the account, and the other finds none.
    orders = list(persons.orders_of(account).locking())
    user = User.objects.select_for_update().filter(pk=account.pk).first()
    if user is None:
        return
    _leave(account, orders)
    flow.end_sessions(account)
    persons.log_of(user).delete()
    AdoptedHolder.objects.filter(account=account.holder).delete()
    EmailCode.objects.filter(email_key=account.email_key).delete()
    # Somebody who joins with the address at this moment waits without an account.
    waiting.forget(persons.entries_of(account).exclude(OPEN))
    DeletedAccount.objects.create(number=account.pk, made_at=account.created_at)
    _tell(user)
    _delete(user)


def _leave(account: Account, orders: Sequence[Order]) -> None:
    """Takes the account and its browsers from the orders, or the next account in one of those would
    take them over; leaves a note that the orders' pages show to staff."""
    for order in orders:
        _check(order)
    mine = Order.objects.filter(pk__in=[order.pk for order in orders])
    # The holder of an order can only leave together with its account.
    mine.filter(account=None).update(account=account.pk)
    mine.exclude(holder__startswith="user:").update(account=None, holder=nobody())
    mine.update(account=None)
    forgetting.delete_unpaid(mine)
    kept = mine.values_list("pk", flat=True)
    OrderEvent.objects.bulk_create(
        [OrderEvent(order_id=pk, what=EVENT, note=WHY_KEPT) for pk in kept]
    )


def _tell(user: User) -> None:
    outbox.put(
        key=f"account_deleted:{user.pk}",
        kind="account_deleted",
        to=user.email,
        context={"at": timezone.now().isoformat()},
    )


def _delete(user: User) -> None:
    if LogEntry.objects.filter(user=user).exists():
        raise IsStaffs
    try:
        user.delete()
    except ProtectedError as error:
        raise IsStaffs from error

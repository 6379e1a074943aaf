"""The holders that a request acts for, and the reservations it may see.

In the shop staff are ordinary shoppers. They act for others only in the admin, where their role is
checked and the reason is recorded.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from uuid import UUID

from django.db.models import QuerySet
from django.db.models.functions import Now
from django.http import Http404, HttpRequest

from allo.outbox.addresses import key_of
from allo.postgresql.compiled import Compiled
from allo.web.address import client_network
from allo.web.shared.acts import note_holds
from reservations import services
from reservations.engine.commands import Holder
from reservations.engine.events import holder_topic
from reservations.models import (
    AdoptedHolder,
    Reservation,
    ReservationQuerySet,
    WaitingEntry,
    WaitingEntryQuerySet,
)
from reservations.shop import visitor

# The session key of the holder in earlier versions, before the visitor cookie. Their holds stay
# valid.
_KEY = "holder"


# The session key of the waiting list's entries that this browser opened by signed links.
OPENED_ENTRIES = "entries_opened"

# An account may have signed in in any number of browsers; only the last ones count.
MOST_ADOPTED = 100
# The same for entries of its address.
MOST_ENTRIES = 100
# The entries on whose topics a page listens: those that may get an offer, or have one.
ENTRIES_HEARD = 5


def holders_of(request: HttpRequest) -> tuple[str, ...]:
    """All holders whose reservations are this shopper's: the account, the browser, which may have
    reserved before signing in, other browsers in which the account signed in, and their entries of
    the waiting list. Without a session cookie it makes no query."""
    names = (*names_here(request), *_adopted_by(request), *_entries_of(request))
    return tuple(dict.fromkeys(names))


def names_here(request: HttpRequest) -> list[str]:
    """The account first, then this browser: locks are taken on these names."""
    names = (account_of(request), visitor.holder_of(request), request.session.get(_KEY))
    return [name for name in names if name]


def account_of(request: HttpRequest) -> str | None:
    return f"user:{request.user.pk}" if request.user.is_authenticated else None


def _adopted_by(request: HttpRequest) -> list[str]:
    """Queried once per request and account: signing in changes who that is."""
    account = account_of(request)
    if account is None:
        return []
    known: dict[str, list[str]] = vars(request).setdefault("adopted_holders", {})
    if account not in known:
        known[account] = [adopted.holder for adopted in _adopted(account)]
    return known[account]


def _last_adopted(account: str) -> QuerySet[AdoptedHolder]:
    adopted = AdoptedHolder.objects.filter(account=account)
    return adopted.order_by("-created_at")[:MOST_ADOPTED]


_adopted = Compiled(_last_adopted, str)


def address_of(request: HttpRequest) -> str:
    """The address with which the shopper signed in; "" without an account. Staff sign in with a
    password, which proves no address."""
    user = request.user
    if not user.is_authenticated or user.is_staff or "@" not in user.email:
        return ""
    return user.email


def address_key_of(request: HttpRequest) -> str:
    """A key that is the same for all spellings of it."""
    return key_of(address) if (address := address_of(request)) else ""


def _entries_of(request: HttpRequest) -> list[str]:
    """The holders of offers to this shopper, the latest entries first."""
    known = vars(request)
    if "entry_holders" not in known:
        last_first = reversed(request.session.get(OPENED_ENTRIES, []))
        opened = [WaitingEntry(pk=pk).holder for pk in last_first]
        address = address_key_of(request)
        known["entry_holders"] = opened + [
            entry.holder for entry in (_last_entries(address) if address else ())
        ]
    entries: list[str] = known["entry_holders"]
    return entries


def _entries(address: str) -> WaitingEntryQuerySet:
    entries = WaitingEntry.objects.filter(email_key=address).only("pk")
    return entries.order_by("-created_at")[:MOST_ENTRIES]


_last_entries = Compiled(_entries, str)


@contextmanager
def earlier_kept(request: HttpRequest) -> Iterator[None]:
    """Signing in or out may begin a new session: the holder of an earlier version is moved
    there."""
    earlier = request.session.get(_KEY)
    yield
    if earlier and _KEY not in request.session:
        request.session[_KEY] = earlier


def offers_counted(request: HttpRequest, max_per_customer: int | None) -> tuple[str, ...]:
    """The holders of offers to this shopper, for a product with this limit; none without it."""
    return tuple(_entries_of(request)) if max_per_customer else ()


def holder_for(request: HttpRequest, max_per_customer: int | None = None) -> Holder | None:
    """The holder of a new hold of a product with this limit; None for a browser without a
    cookie."""
    note_holds(request, holds=True)
    if not (here := names_here(request)):
        return None
    offers = offers_counted(request, max_per_customer)
    return Holder(here[0], client_network(request), others=tuple(here[1:]), offers=offers)


def live_holds(request: HttpRequest) -> list[Reservation]:
    """What this shopper holds now, the first to lapse first; queried once per request."""
    known = vars(request)
    if "live_holds" not in known:
        holders = holders_of(request)
        known["live_holds"] = _live(len(holders))(*holders) if holders else []
        note_holds(request, holds=bool(known["live_holds"]))
    holds: list[Reservation] = known["live_holds"]
    return holds


@lru_cache
def _live(number: int) -> Compiled[Reservation]:
    """What holders hold now, for so many of them."""

    def held_by(*holders: str) -> ReservationQuerySet:
        pending = Reservation.objects.pending_of(holders).filter(expires_at__gt=Now())
        return pending.with_stock().order_by("expires_at")

    return Compiled(held_by, *[str] * number)


def look_again(request: HttpRequest) -> None:
    """Discards the cached `live_holds`, after a change."""
    vars(request).pop("live_holds", None)


def topics_of(request: HttpRequest) -> list[str]:
    """The topics of this shopper's holds, for a page to listen to: of the account, of this browser
    and of offers. What another browser held is the account's since it signed in there."""
    names = (*names_here(request), *_entries_of(request)[:ENTRIES_HEARD])
    return [holder_topic(holder) for holder in names]


def owned(request: HttpRequest, reservation_id: UUID) -> Reservation:
    """The shopper's own reservation, expired if its time has passed. Raises `Http404` for
    others'."""
    try:
        reservation = services.get(reservation_id=reservation_id)
    except Reservation.DoesNotExist:
        raise Http404("no such reservation") from None
    if not may_see(request, reservation):
        raise Http404("no such reservation")
    return reservation


def owned_for_page(request: HttpRequest, reservation_id: UUID) -> Reservation:
    """`owned`, for a page that shows all that is held: if this is, it is read with that."""
    held = (hold for hold in live_holds(request) if hold.pk == reservation_id)
    return next(held, None) or owned(request, reservation_id)


def may_see(request: HttpRequest, reservation: Reservation) -> bool:
    return reservation.holder in holders_of(request)

"""A shopper's reservations, a page at a time: what is pending first, then what ended, newest first.

A page begins after the reservation that its address names, and each holder's rows are read from an
index, so the thousandth page costs as much as the first."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from uuid import UUID

from django.db.models import Q

from allo.postgresql.compiled import Compiled
from catalog import paging
from reservations.models import Reservation, ReservationQuerySet

Order = tuple[str, str]
# Selects the reservations that come, in the list, after one with this time and key.
Beyond = Callable[[datetime, UUID], Q]

NEWEST_FIRST, OLDEST_FIRST = ("-created_at", "pk"), ("created_at", "-pk")
_ALL = Reservation.objects.order_by()


class NoSuchPage(ValueError):
    """The address names no reservation of these holders."""


@dataclass(frozen=True, slots=True)
class Page:
    """`newer` and `older` are the keys for the addresses of the pages before and after, if any."""

    reservations: list[Reservation]
    newer: UUID | None = None
    older: UUID | None = None

    def __iter__(self) -> Iterator[Reservation]:
        return iter(self.reservations)

    def __len__(self) -> int:
        return len(self.reservations)


def page_of(holders: Sequence[str], before: str = "", after: str = "") -> Page:
    """The reservations made before or after the one with this key; without a key the first page.
    Raises `NoSuchPage`."""
    number = len(holders)
    if before:
        at = _place(holders, before)
        found = _ended_beyond(number, _older_than, NEWEST_FIRST)(at.created_at, at.pk, *holders)
        return _page(found, newer=True, older=len(found) > paging.SIZE)
    if after:
        at = _place(holders, after)
        found = _ended_beyond(number, _newer_than, OLDEST_FIRST)(at.created_at, at.pk, *holders)
        # Fewer than a page: the first page has them.
        if len(found) > paging.SIZE:
            newest_first = found[: paging.SIZE][::-1]
            return _page(newest_first, newer=True, older=True)
    if not holders:
        return Page([])
    found = _ended(number)(*holders)
    pending = _pending(number)(*holders)
    return _page(found, newer=False, older=len(found) > paging.SIZE, first=pending)


def _page(
    found: list[Reservation], *, newer: bool, older: bool, first: Sequence[Reservation] = ()
) -> Page:
    shown = found[: paging.SIZE]
    return Page(
        [*first, *shown],
        newer=shown[0].pk if newer and shown else None,
        older=shown[-1].pk if older and shown else None,
    )


def _older_than(at: datetime, key: UUID) -> Q:
    """The first condition follows from the others, but bounds how much of the index is read."""
    return Q(created_at__lte=at) & (Q(created_at__lt=at) | Q(pk__gt=key))


def _newer_than(at: datetime, key: UUID) -> Q:
    return Q(created_at__gte=at) & (Q(created_at__gt=at) | Q(pk__lt=key))


def _place(holders: Sequence[str], name: str) -> Reservation:
    """The reservation, if it is of one of these holders."""
    try:
        at = _by_key.first(UUID(name))
    except ValueError:
        raise NoSuchPage from None
    if at is None or at.holder not in holders:
        raise NoSuchPage
    return at


_by_key = Compiled(lambda key: _ALL.filter(pk=key), UUID)


# Each compiled once for a number of holders, of which most shoppers have one or two.


@lru_cache
def _pending(number: int) -> Compiled[Reservation]:
    def held_by(*holders: str) -> ReservationQuerySet:
        return Reservation.objects.pending_of(holders).with_stock().order_by(*NEWEST_FIRST)

    return Compiled(held_by, *[str] * number)


@lru_cache
def _ended(number: int) -> Compiled[Reservation]:
    def of(*holders: str) -> ReservationQuerySet:
        return _a_page_of(holders, Q(), NEWEST_FIRST)

    return Compiled(of, *[str] * number)


@lru_cache
def _ended_beyond(number: int, beyond: Beyond, order: Order) -> Compiled[Reservation]:
    def of(at: datetime, key: UUID, *holders: str) -> ReservationQuerySet:
        return _a_page_of(holders, beyond(at, key), order)

    return Compiled(of, datetime, UUID, *[str] * number)


def _a_page_of(holders: Sequence[str], where: Q, order: Order) -> ReservationQuerySet:
    """One more than a page shows. As many are looked up for each holder, since the index orders the
    reservations of one holder, and not those of several together."""
    ended = Reservation.objects.ended().filter(where).order_by(*order).values("pk")
    each = [ended.filter(holder=holder)[: paging.SIZE + 1] for holder in holders]
    keys = each[0].union(*each[1:], all=True) if len(each) > 1 else each[0]
    rows = Reservation.objects.with_stock().filter(pk__in=keys)
    return rows.order_by(*order)[: paging.SIZE + 1]

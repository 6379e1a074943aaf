"""A shopper's reservations, a page at a time: what is pending first, then what ended, newest first.

A page begins after the reservation that its address names, and each holder's rows are read from an
index, so the thousandth page costs as much as the first."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q

from catalog import paging
from reservations.models import Reservation

NEWEST_FIRST, OLDEST_FIRST = ("-created_at", "pk"), ("created_at", "-pk")


class NoSuchPage(ValueError):
    """The address names no reservation of these holders."""


@dataclass(frozen=True, slots=True)
class Page:
    """`newer` and `older` name the reservations in the addresses of its neighbours, if any."""

    reservations: list[Reservation]
    newer: UUID | None = None
    older: UUID | None = None

    def __iter__(self) -> Iterator[Reservation]:
        return iter(self.reservations)

    def __len__(self) -> int:
        return len(self.reservations)


def page_of(holders: Sequence[str], before: str = "", after: str = "") -> Page:
    """The reservations made before or after the one named; without a name the first page. Raises
    `NoSuchPage`."""
    if before:
        found = _ended(holders, _older_than(_place(holders, before)), NEWEST_FIRST)
        return _page(found, newer=True, older=len(found) > paging.SIZE)
    if after:
        found = _ended(holders, _newer_than(_place(holders, after)), OLDEST_FIRST)
        # Fewer than a page: the first page has them.
        if len(found) > paging.SIZE:
            newest_first = found[: paging.SIZE][::-1]
            return _page(newest_first, newer=True, older=True)
    pending = Reservation.objects.pending_of(holders).with_stock().order_by(*NEWEST_FIRST)
    found = _ended(holders, Q(), NEWEST_FIRST)
    return _page(found, newer=False, older=len(found) > paging.SIZE, first=list(pending))


def _page(
    found: list[Reservation], *, newer: bool, older: bool, first: Sequence[Reservation] = ()
) -> Page:
    shown = found[: paging.SIZE]
    return Page(
        [*first, *shown],
        newer=shown[0].pk if newer and shown else None,
        older=shown[-1].pk if older and shown else None,
    )


def _older_than(at: Reservation) -> Q:
    """The first condition follows from the others; it bounds what the index is read for."""
    behind = Q(created_at__lt=at.created_at) | Q(pk__gt=at.pk)
    return Q(created_at__lte=at.created_at) & behind


def _newer_than(at: Reservation) -> Q:
    ahead = Q(created_at__gt=at.created_at) | Q(pk__lt=at.pk)
    return Q(created_at__gte=at.created_at) & ahead


def _place(holders: Sequence[str], name: str) -> Reservation:
    try:
        return Reservation.objects.get(pk=UUID(name), holder__in=holders)
    except (ValueError, Reservation.DoesNotExist):
        raise NoSuchPage from None


def _ended(holders: Sequence[str], where: Q, order: tuple[str, str]) -> list[Reservation]:
    """One more than a page shows. Of each holder as many are looked up, since an index has the
    order of one holder's reservations, not of several together."""
    ended = Reservation.objects.ended().filter(where).order_by(*order).values("pk")
    each = [ended.filter(holder=holder)[: paging.SIZE + 1] for holder in holders]
    if not each:
        return []
    keys = each[0].union(*each[1:], all=True) if len(each) > 1 else each[0]
    rows = Reservation.objects.with_stock().filter(pk__in=keys)
    return list(rows.order_by(*order)[: paging.SIZE + 1])

"""My orders: the shopper's, newest first, a page at a time.

A page begins after the order that its address names, as in `reservations.shop.history`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.db.models import OuterRef, Prefetch, Q, Subquery
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from allo.web.parts import Request, never_stored
from catalog import paging
from checkout.models import Charge, Order, OrderLine
from checkout.orders.numbers import as_written
from checkout.orders.showing import progress_of, title_of
from reservations.shop.holders import holders_of, topics_of

NEWEST_FIRST, OLDEST_FIRST = ("-opened_at", "pk"), ("opened_at", "-pk")
# A scalar subquery. For EXISTS beside an OR PostgreSQL would read the charges of all orders.
ANY_CHARGE = Subquery(Charge.objects.filter(order=OuterRef("pk")).order_by().values("pk")[:1])


@dataclass(frozen=True, slots=True)
class Page:
    """`newer` and `older` are the numbers for the addresses of the pages before and after, if
    any."""

    orders: list[Order]
    newer: str = ""
    older: str = ""

    def __iter__(self) -> Iterator[tuple[Order, str]]:
        """Each order with its state in words."""
        for order in self.orders:
            on_delivery = order.payments.all()[0].provider == "none"
            progress = progress_of(order, order.order_lines.all())
            yield order, title_of(order, progress, on_delivery=on_delivery)

    def __len__(self) -> int:
        return len(self.orders)


@require_safe
@never_stored
def orders(request: Request) -> HttpResponse:
    context = {
        "page": _page(_mine(request), request.GET.get("before", ""), request.GET.get("after", "")),
        "topics": topics_of(request),
        "now": timezone.now(),
    }
    return render(request, "checkout/orders.html", context)


def latest(request: Request, number: int) -> list[tuple[Order, str]]:
    """The last orders, each with its state in words."""
    return list(_page(_mine(request), "", ""))[:number]


def _mine(request: Request) -> list[Q]:
    """Two queries, each by an index of its own."""
    mine = [Q(holder=holder) for holder in holders_of(request)]
    return [*mine, Q(account=request.user.pk)] if request.user.is_authenticated else mine


def _page(mine: Sequence[Q], before: str, after: str) -> Page:
    if before:
        at = _place(mine, before)
        behind = Q(opened_at__lt=at.opened_at) | Q(pk__gt=at.pk)
        found = _found(mine, Q(opened_at__lte=at.opened_at) & behind, NEWEST_FIRST)
        return _shown(found, newer=True, older=len(found) > paging.SIZE)
    if after:
        at = _place(mine, after)
        ahead = Q(opened_at__gt=at.opened_at) | Q(pk__lt=at.pk)
        found = _found(mine, Q(opened_at__gte=at.opened_at) & ahead, OLDEST_FIRST)
        # Fewer than a page: the first page has them.
        if len(found) > paging.SIZE:
            return _shown(found[: paging.SIZE][::-1], newer=True, older=True)
    found = _found(mine, Q(), NEWEST_FIRST)
    return _shown(found, newer=False, older=len(found) > paging.SIZE)


def _shown(found: list[Order], *, newer: bool, older: bool) -> Page:
    shown = found[: paging.SIZE]
    return Page(
        shown,
        newer=shown[0].number if newer and shown else "",
        older=shown[-1].number if older and shown else "",
    )


def _place(mine: Sequence[Q], number: str) -> Order:
    found = Order.objects.filter(number=as_written(number))
    for own in mine:
        if place := found.filter(own).first():
            return place
    raise Http404("no such page")


def _found(mine: Sequence[Q], where: Q, order: tuple[str, str]) -> list[Order]:
    """One more than a page shows."""
    # An order that was dropped before any money came is not shown.
    worth_showing = ~Q(state=Order.State.DROPPED) | Q(any_charge__isnull=False)
    known = Order.objects.annotate(any_charge=ANY_CHARGE).filter(worth_showing, where)
    shown = known.order_by(*order).values("pk")
    each = [shown.filter(own)[: paging.SIZE + 1] for own in mine]
    if not each:
        return []
    keys = each[0].union(*each[1:], all=True) if len(each) > 1 else each[0]
    lines = OrderLine.objects.select_related("reservation__inventory__product").order_by("pk")
    rows = Order.objects.filter(pk__in=keys).order_by(*order)
    return list(
        rows.prefetch_related(Prefetch("order_lines", lines), "payments")[: paging.SIZE + 1]
    )

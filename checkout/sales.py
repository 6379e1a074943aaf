"""What was sold: the lines of orders by the time when these were paid. Cancelled orders do not
count."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django.db.models import F, Q, QuerySet, Sum
from django.utils import timezone

from checkout.models import Order, OrderLine

PRODUCT, WAREHOUSE = "reservation__inventory__product", "reservation__inventory__warehouse"


@dataclass(frozen=True, slots=True)
class Sold:
    """Of one product in one warehouse."""

    slug: str
    product: str
    warehouse: str
    units: int
    paise: int


def lines_of(first: date, last: date) -> QuerySet[OrderLine]:
    """Of all orders that were paid on these days, by the time zone in force."""
    paid = Q(order__paid_at__gte=_midnight(first))
    paid &= Q(order__paid_at__lt=_midnight(last + timedelta(days=1)))
    return OrderLine.objects.filter(paid, active=True).exclude(order__state=Order.State.CANCELLED)


def by_product(lines: QuerySet[OrderLine]) -> list[Sold]:
    """The most money first."""
    names = {
        "slug": F(f"{PRODUCT}__slug"),
        "product": F(f"{PRODUCT}__name"),
        "warehouse": F(f"{WAREHOUSE}__name"),
    }
    worth = F("unit_paise") * F("quantity")
    sums = lines.order_by().values(**names).annotate(units=Sum("quantity"), paise=Sum(worth))
    return [Sold(**row) for row in sums.order_by("-paise", "slug", "warehouse")]


def total(sold: Iterable[Sold]) -> tuple[int, int]:
    """Units and paise."""
    every = list(sold)
    return sum(row.units for row in every), sum(row.paise for row in every)


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time()))

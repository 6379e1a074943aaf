"""What was sold: the lines of orders, and their shipping, by the time when these were paid.
Cancelled orders do not count."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django.db.models import BigIntegerField, F, QuerySet, Sum
from django.db.models.functions import Cast
from django.utils import timezone

from checkout.models import Order, OrderLine

# Of a line or a reservation: more than an integer of PostgreSQL may hold.
WORTH = Cast("unit_paise", BigIntegerField()) * F("quantity")
PRODUCT, WAREHOUSE = "reservation__inventory__product", "reservation__inventory__warehouse"


@dataclass(frozen=True, slots=True)
class Sold:
    """Of one product in one warehouse. The tax is in the price."""

    slug: str
    product: str
    warehouse: str
    units: int
    paise: int
    gst_paise: int


def lines_of(first: date, last: date) -> QuerySet[OrderLine]:
    """Of all orders that were paid on these days, by the time zone in force."""
    begin, end = _midnight(first), _midnight(last + timedelta(days=1))
    lines = OrderLine.objects.filter(order__paid_at__gte=begin, order__paid_at__lt=end, active=True)
    return lines.exclude(order__state=Order.State.CANCELLED)


def shipping_of(first: date, last: date) -> list[Sold]:
    """What the same orders were charged for it, as a row of its own; none if it was free."""
    begin, end = _midnight(first), _midnight(last + timedelta(days=1))
    orders = Order.objects.filter(paid_at__gte=begin, paid_at__lt=end, shipping_paise__gt=0)
    sums = orders.exclude(state=Order.State.CANCELLED).aggregate(
        paise=Sum("shipping_paise"), gst_paise=Sum("shipping_gst_paise")
    )
    shipping = Sold(slug="", product="Shipping", warehouse="", units=0, **sums)
    return [shipping] if shipping.paise else []


def by_product(lines: QuerySet[OrderLine]) -> list[Sold]:
    """The most money first."""
    names = {
        "slug": F(f"{PRODUCT}__slug"),
        "product": F(f"{PRODUCT}__name"),
        "warehouse": F(f"{WAREHOUSE}__name"),
    }
    sums = {"units": Sum("quantity"), "paise": Sum(WORTH), "gst_paise": Sum("gst_paise")}
    rows = lines.order_by().values(**names).annotate(**sums)
    return [Sold(**row) for row in rows.order_by("-paise", "slug", "warehouse")]


def total(sold: Iterable[Sold]) -> tuple[int, int, int]:
    """Units, paise, and the tax in these."""
    columns = [(row.units, row.paise, row.gst_paise) for row in sold]
    units, paise, gst_paise = map(sum, zip(*columns, strict=True)) if columns else (0, 0, 0)
    return units, paise, gst_paise


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time()))

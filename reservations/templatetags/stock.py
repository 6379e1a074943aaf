from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from allo.live.message import micros
from allo.live.tokens import sign_shared
from catalog.events import CATEGORIES, product_topic
from catalog.models import Product
from inventory.models import Inventory
from reservations.shop.panel import next_lapse_of

register = template.Library()

# From this number down, few are left.
FEW = 5


@register.simple_tag
def hears_stock(products: Iterable[int]) -> SafeString:
    """`data-hears`: a page that anyone may keep open listens to the stock of these products, and to
    the names of categories."""
    topics = [product_topic(product) for product in products]
    return (
        format_html('data-hears="{}"', sign_shared([*topics, CATEGORIES]))
        if topics
        else SafeString()
    )


@register.inclusion_tag("includes/_stock_words.html")
def stock_words(product: Product) -> dict[str, Any]:
    """What there is of a product `with_stock_and_lapse`, in words that are true."""
    state = "opening" if product.opens_later else stock_state(product.total, product.available)
    return {
        "state": "coming" if state == "sold_out" and not product.run else state,
        "product": product,
        "available": product.available,
        "run": max(product.run, product.available),
        "next_lapse_at": product.next_lapse_at,
        "now": timezone.now(),
    }


@register.filter
def state_of(stock: Sequence[Inventory], product: Product) -> str:
    """The state of the product whose rows these are."""
    if product.opens_later:
        return "opening"
    total = sum(row.total_units for row in stock)
    return stock_state(total, sum(row.available for row in stock))


@register.filter
def arrival(row: Inventory, product: Product) -> date | None:
    """The day by which a parcel of the row arrives that is paid for today or, before the opening,
    then; in the shop's time zone."""
    today = timezone.localdate()
    opening = timezone.localdate(product.opens_at) if product.opens_at else today
    return row.warehouse.arrives_by(max(today, opening))


def stock_state(total: int, available: int) -> str:
    if available <= 0:
        return "all_held" if total > 0 else "sold_out"
    return "few" if available <= FEW else "in_stock"


@register.simple_tag
def numbers_of(product: Product) -> SafeString:
    """For scripts: the numbers of a product `with_stock_and_lapse`, and when they were read."""
    numbers = _numbers(product.stock_rows, product.next_lapse_at, product.read_at)
    return format_html('{} data-run="{}"', numbers, product.run)


@register.simple_tag
def numbers_in(stock: Sequence[Inventory]) -> SafeString:
    """The same of a product's rows; nothing if it has none."""
    if not stock:
        return SafeString()
    rows = [f"{row.pk}:{row.total_units}:{row.taken}" for row in stock]
    return _numbers(rows, next_lapse_of([*stock]), stock[0].read_at)


def _numbers(rows: Sequence[str], lapse: datetime | None, read_at: datetime) -> SafeString:
    return format_html(
        'data-rows="{}" data-lapse="{}" data-at="{}"',
        " ".join(rows),
        f"{lapse.timestamp():.6f}" if lapse else "",
        micros(read_at),
    )

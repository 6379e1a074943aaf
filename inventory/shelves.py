"""The warehouses that may stock a product. Every call that reserves needs them and they hardly ever
change, so each process caches them for a few seconds. Quantities are never cached."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from allo.postgresql.compiled import Compiled
from catalog.models import Product
from catalog.slugs import slug_now
from inventory.models import Inventory

# A product that was withdrawn, or a warehouse that was added, is noticed by all processes after
# this time.
REMEMBERED_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Shelves:
    """A published product's inventory rows by the code of their warehouse, in the shop's order."""

    product: str
    product_id: int
    opens_at: datetime | None
    max_per_customer: int | None
    rows: Mapping[str, int]
    codes: Mapping[int, str]
    known_until: float


_known: dict[str, Shelves] = {}


def shelves_of(slug: str) -> Shelves:
    """By a slug that the product has or had. Raises `Product.DoesNotExist`."""
    now = time.monotonic()
    known = _known.get(slug)
    if known is None or known.known_until < now:
        known = _known[slug] = _read(slug, now + REMEMBERED_SECONDS)
    return known


def forget() -> None:
    _known.clear()


_published = Product.objects.published().only("opens_at", "max_per_customer")
_product = Compiled(lambda slug: _published.filter(slug=slug), str)
_in_order = Inventory.objects.select_related("warehouse").order_by("warehouse__position", "pk")
_rows = Compiled(lambda product: _in_order.filter(product=product), int)


def _read(slug: str, until: float) -> Shelves:
    product = _product.first(slug)
    if product is None:
        _known.pop(slug, None)
        if now := slug_now(slug):
            return _read(now, until)
        raise Product.DoesNotExist
    codes = {row.pk: row.warehouse.code for row in _rows(product.pk)}
    named = {code: row for row, code in codes.items()}
    limit = product.max_per_customer
    return Shelves(slug, product.pk, product.opens_at, limit, named, codes, until)

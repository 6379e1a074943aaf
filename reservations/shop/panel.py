"""The panel on a product's page: its stock, what the shopper holds of it, and the buttons."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils import timezone

from allo.postgresql.compiled import Compiled
from catalog.models import Product
from inventory.models import Inventory, InventoryQuerySet
from reservations.availability import with_next_lapse
from reservations.models import Reservation
from reservations.shop.forms import ReserveForm
from reservations.shop.holders import live_holds, topics_of

# The target of the request that opens the dialog; the form's own refresh has another one.
DIALOG = "reserve-dialog-body"


def stock_of(product: Product) -> list[Inventory]:
    """Each warehouse's row, with what is available and when the first hold may lapse."""
    return _stock(product.pk)


def _rows(product: int) -> InventoryQuerySet:
    rows = with_next_lapse(Inventory.objects.with_free().filter(product=product))
    return rows.select_related("warehouse").order_by("warehouse__position", "pk")


_stock = Compiled(_rows, int)


def next_lapse_of(stock: list[Inventory]) -> datetime | None:
    """When units may come back, if none are left in any warehouse."""
    if any(row.available for row in stock):
        return None
    return min(filter(None, (row.next_lapse_at for row in stock)), default=None)


def panel(product: Product) -> dict[str, Any]:
    """Of a product `with_stock_and_lapse` and `with_list_closed`."""
    stock = stock_of(product)
    return {
        "product": product,
        "stock": stock,
        "form": ReserveForm(stock, product=product),
        "available": sum(row.available for row in stock),
        "total": sum(row.total_units for row in stock),
        "next_lapse_at": next_lapse_of(stock),
        "keys": [product.pk],
        "now": timezone.now(),
    }


def header_holds(request: HttpRequest, _about: str = "") -> str:
    """For the header of each page."""
    context = {"holds": live_holds(request), "topics": topics_of(request)}
    return render_to_string("includes/_holds.html", context)


def mine_of(request: HttpRequest, product_id: str) -> str:
    return mine(request, Product.objects.get(pk=product_id))


def mine(request: HttpRequest, product: Product) -> str:
    """What this shopper holds of a product, for its panel."""
    context = {
        "product": product,
        "holds": holds_of(request, product),
        "topics": topics_of(request),
        "now": timezone.now(),
    }
    return render_to_string("reservations/_mine.html", context)


def holds_of(request: HttpRequest, product: Product) -> list[Reservation]:
    """What this shopper holds of the product, soonest to lapse first."""
    return [hold for hold in live_holds(request) if hold.inventory.product_id == product.pk]


def tallies(request: HttpRequest, product_id: str) -> str:
    """For staff who may see stock: what each warehouse has, and how much of it is held."""
    user = request.user
    if not (user.is_staff and user.has_perm("inventory.view_inventory")):
        return ""
    return render_to_string("reservations/_tallies.html", {"stock": _stock(int(product_id))})

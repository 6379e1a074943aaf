from typing import Any

from django import template
from django.utils.safestring import SafeString, mark_safe

from allo.web.shared.holes import hole
from catalog.models import Product
from reservations.shop.panel import header_holds, mine, mine_of, panel

register = template.Library()


@register.simple_tag(takes_context=True)
def live_holds(context: dict[str, Any]) -> SafeString:
    """This shopper's holds, for the header; no query for a visitor without cookies."""
    request = context["request"]
    inside = header_holds(request)
    return mark_safe(hole(request, "holds", "", header_holds, inside))  # noqa: S308 - from a template


@register.simple_tag(takes_context=True)
def my_holds(context: dict[str, Any], product: Product) -> SafeString:
    """This shopper's holds of a product."""
    request = context["request"]
    inside = mine(request, product)
    return mark_safe(hole(request, "mine", str(product.pk), mine_of, inside))  # noqa: S308


@register.inclusion_tag("reservations/_panel.html", takes_context=True)
def reserve_panel(context: dict[str, Any], product: Product) -> dict[str, Any]:
    return {"request": context["request"], **panel(product)}

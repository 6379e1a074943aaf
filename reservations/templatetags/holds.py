from typing import Any

from django import template

from catalog.models import Product
from reservations.shop.panel import header_holds, panel

register = template.Library()


@register.inclusion_tag("includes/_holds.html", takes_context=True)
def live_holds(context: dict[str, Any]) -> dict[str, Any]:
    """This shopper's holds, for the header; no query for a visitor without cookies."""
    return header_holds(context["request"])


@register.inclusion_tag("reservations/_panel.html", takes_context=True)
def reserve_panel(context: dict[str, Any], product: Product) -> dict[str, Any]:
    request = context["request"]
    return {"request": request, "csrf_token": context["csrf_token"], **panel(request, product)}

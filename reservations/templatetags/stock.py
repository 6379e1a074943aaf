from typing import Any

from django import template
from django.utils import timezone

from catalog.models import Product

register = template.Library()

# At this number or fewer the number itself is shown.
LOW = 5


@register.inclusion_tag("includes/_stock_words.html")
def stock_words(product: Product) -> dict[str, Any]:
    """What there is of a product `with_stock_and_lapse`, in words that are true."""
    return {
        "state": stock_state(product.total, product.available),
        "available": product.available,
        "next_lapse_at": product.next_lapse_at,
        "now": timezone.now(),
    }


def stock_state(total: int, available: int) -> str:
    if available <= 0:
        return "all_held" if total > 0 else "sold_out"
    return "low" if available <= LOW else "in_stock"

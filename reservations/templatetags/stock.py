from typing import Any

from django import template
from django.utils import timezone
from django.utils.safestring import SafeString

from allo.templatetags.live import live_topics
from catalog.models import Product
from inventory.events import product_topic

register = template.Library()

# At this number or fewer the number itself is shown.
FEW = 5


@register.simple_tag
def live_stock() -> SafeString:
    """Makes a part listen to the stock of every product."""
    return live_topics([product_topic("*")])


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
    return "few" if available <= FEW else "in_stock"

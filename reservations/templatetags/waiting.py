from typing import Any

from django import template

from catalog.models import Product
from reservations.waiting.services import length_of

register = template.Library()


@register.simple_tag(takes_context=True)
def waiting_for(context: dict[str, Any], product: Product | None) -> int:
    """How many wait for a product, for staff who may see them; else 0."""
    may_see = context["request"].user.has_perm("reservations.view_waitingentry")
    return length_of(product.pk) if product and may_see else 0

"""The link from a page of the shop to the admin, which only staff see."""

from typing import Any

from django import template
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from allo.web.shared.holes import hole
from catalog.models import Product

register = template.Library()


@register.simple_tag(takes_context=True)
def staff_link(context: dict[str, Any], product: Product | None = None) -> SafeString:
    """To a product's page there, or to the front page."""
    request, about = context["request"], f"{product.pk}" if product else ""
    inside = _link(request, about)
    return mark_safe(hole(request, "staff", about, _link, inside))  # noqa: S308 - from a template


def _link(request: HttpRequest, about: str) -> SafeString:
    user = request.user
    if not user.is_staff:
        return SafeString()
    if about and user.has_perm("catalog.view_product"):
        address = reverse("admin:catalog_product_change", args=[about])
        return format_html('<a href="{}" aria-label="This product in the admin">Admin</a>', address)
    return format_html('<a href="{}">Admin</a>', reverse("admin:index"))

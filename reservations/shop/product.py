"""A product's page, with its stock and what this shopper holds of it."""

from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from allo.web.flag_field import flag
from allo.web.parts import always_fresh
from allo.web.shared.keys import Sharing
from allo.web.shared.pages import shared
from catalog.models import Product, ProductQuerySet
from catalog.slugs import follow_renames
from reservations.availability import with_stock_and_lapse

RELATED = 4


def _previewed(request: HttpRequest) -> bool:
    return _wants_preview(request) and _may_preview(request)


@require_safe
@always_fresh
@follow_renames
@shared(Sharing(), unless=_previewed)
def product(request: HttpRequest, slug: str) -> HttpResponse:
    published = _products().published()
    preview = _previewed(request)
    product = get_object_or_404(_products() if preview else published, slug=slug)
    others = published.filter(category=product.category).exclude(pk=product.pk)
    related = list(others.order_by("position", "pk")[:RELATED])
    context = {
        "product": product,
        "related": related,
        "related_keys": [other.pk for other in related],
        "preview": preview,
    }
    response = render(request, "catalog/product.html", context)
    if preview:
        response.headers["X-Robots-Tag"] = "noindex"
    return response


def _may_preview(request: HttpRequest) -> bool:
    """As in the admin, where only staff accounts can use their permissions."""
    return request.user.is_staff and request.user.has_perm("catalog.view_product")


def _wants_preview(request: HttpRequest) -> bool:
    """A bare `?preview` is on."""
    try:
        return "preview" in request.GET and flag(request.GET["preview"] or "on")
    except ValidationError:
        return False


def _products() -> ProductQuerySet:
    return with_stock_and_lapse(Product.objects.select_related("category"))

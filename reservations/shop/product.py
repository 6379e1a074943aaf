"""A product's page, with its stock and what this shopper holds of it."""

from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from allo.postgresql.compiled import Compiled
from allo.web.flag_field import flag
from allo.web.parts import always_fresh
from allo.web.shared.keys import Sharing
from allo.web.shared.pages import shared
from catalog.models import Product, ProductPicture, ProductQuerySet
from catalog.slugs import follow_renames
from reservations.availability import with_stock_and_lapse
from reservations.shop.published import with_list_closed

RELATED = 4
# The width of a picture on the page, as static/css/pages/gallery.css lays it out.
SIZES = "(min-width: 150rem) 30vw, (min-width: 60rem) 55vw, (min-width: 40rem) 50vw, 100vw"


def _previewed(request: HttpRequest) -> bool:
    return _wants_preview(request) and _may_preview(request)


@require_safe
@always_fresh
@follow_renames
@shared(Sharing(), unless=_previewed)
def product(request: HttpRequest, slug: str) -> HttpResponse:
    preview = _previewed(request)
    product = (_by_slug if preview else _published_by_slug).first(slug)
    if product is None:
        raise Http404("no such product")
    opens_at = product.opens_at if product.opens_later else None
    if preview:
        product.opens_at = None  # as if it were open
    related = _related(product.category_id, product.pk)
    context = {
        "product": product,
        "views": [product, *_further(product.pk)],
        "sizes": SIZES,
        "related": related,
        "related_keys": [other.pk for other in related],
        "preview": preview,
        "opens_at": opens_at,
    }
    response = render(request, "catalog/product.html", context)
    if preview:
        response.headers["X-Robots-Tag"] = "noindex"
    return response


def _may_preview(request: HttpRequest) -> bool:
    """As in the admin, where only staff accounts can use their permissions."""
    return request.user.is_staff and request.user.has_perm("catalog.view_product")


def _wants_preview(request: HttpRequest) -> bool:
    """`?preview` without a value means yes."""
    try:
        return "preview" in request.GET and flag(request.GET["preview"] or "on")
    except ValidationError:
        return False


def _products() -> ProductQuerySet:
    return with_stock_and_lapse(Product.objects.select_related("category"))


def _others(category: int, product: int) -> ProductQuerySet:
    others = _products().published().filter(category=category).exclude(pk=product)
    return others.order_by("position", "pk")[:RELATED]


def _named(slug: str) -> ProductQuerySet:
    return with_list_closed(_products().filter(slug=slug))


_by_slug = Compiled(_named, str)
_published_by_slug = Compiled(lambda slug: _named(slug).published(), str)
_related = Compiled(_others, int, int)
_further = Compiled(lambda product: ProductPicture.objects.filter(product=product), int)

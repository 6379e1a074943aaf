"""The product that an address names, as shoppers see it."""

from django.http import Http404

from allo.postgresql.compiled import Compiled
from catalog.models import Product, ProductQuerySet


def published(slug: str) -> ProductQuerySet:
    return Product.objects.published().select_related("category").order_by().filter(slug=slug)


_by_slug = Compiled(published, str)


def product_of(slug: str) -> Product:
    """Raises `Http404`."""
    product = _by_slug.first(slug)
    if product is None:
        raise Http404("no such product")
    return product

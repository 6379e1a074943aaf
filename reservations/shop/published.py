"""The product that an address names, as shoppers see it."""

from django.http import Http404, HttpRequest

from allo.postgresql.compiled import Compiled
from catalog.models import Product, ProductQuerySet
from reservations.shop.holders import live_holds


def published(slug: str) -> ProductQuerySet:
    return Product.objects.published().select_related("category").order_by().filter(slug=slug)


_by_slug = Compiled(published, str)


def product_of(slug: str) -> Product:
    """Raises `Http404`."""
    product = _by_slug.first(slug)
    if product is None:
        raise Http404("no such product")
    return product


def product_for(request: HttpRequest, slug: str) -> Product:
    """The same. Whoever holds some of it still finds it after it was taken out of the shop."""
    try:
        return product_of(slug)
    except Http404:
        held = [hold.inventory.product for hold in live_holds(request)]
        mine = next((product for product in held if product.slug == slug), None)
        if mine is None:
            raise
        return mine

"""The product that an address names, as shoppers see it."""

from django.db.models import OuterRef, Subquery
from django.http import Http404, HttpRequest

from allo.postgresql.compiled import Compiled
from catalog.models import Product, ProductQuerySet
from reservations.models import ListClosure
from reservations.shop.holders import live_holds


def with_list_closed(products: ProductQuerySet) -> ProductQuerySet:
    """Annotates `list_closed`: staff's reason for closing the waiting list, None while it is
    open."""
    closed = ListClosure.objects.filter(product=OuterRef("pk"), reopened_at=None)
    return products.annotate(list_closed=Subquery(closed.order_by().values("reason")[:1]))


def published(slug: str) -> ProductQuerySet:
    """With `list_closed`."""
    named = with_list_closed(Product.objects.published().filter(slug=slug))
    return named.select_related("category").order_by()


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

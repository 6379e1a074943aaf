"""The product that an address names, as shoppers see it."""

from django.db.models import OuterRef, Subquery
from django.http import Http404, HttpRequest

from allo.postgresql.compiled import Compiled
from catalog.models import Product, ProductQuerySet
from reservations.models import ListClosure, Reservation
from reservations.shop.holders import holders_of, live_holds


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


def product_once_held(request: HttpRequest, slug: str) -> Product:
    """The same. A shopper who ever held some of it finds it after it was taken out of the shop, so
    that a page that is still open can say how the hold ended."""
    try:
        return product_of(slug)
    except Http404:
        held = Reservation.objects.filter(
            holder__in=holders_of(request), inventory__product__slug=slug
        )
        mine = held.select_related("inventory__product").order_by().first()
        if mine is None:
            raise
        return mine.inventory.product


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

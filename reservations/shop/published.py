"""The product that an address names, as shoppers see it."""

from django.conf import settings
from django.http import Http404

from allo.postgresql.compiled import Compiled
from allo.web.shared.store import Store
from catalog.models import Product, ProductQuerySet


def published(slug: str) -> ProductQuerySet:
    return Product.objects.published().select_related("category").order_by().filter(slug=slug)


_by_slug = Compiled(published, str)

MOST_KEYS = 1000
_keys = Store[int](size_of=lambda _: 1, max_bytes=MOST_KEYS, waiters=settings.WEB_THREADS)


def product_of(slug: str) -> Product:
    """Raises `Http404`."""
    product = _by_slug.first(slug)
    if product is None:
        raise Http404("no such product")
    return product


def key_of(slug: str) -> int:
    """The primary key of a product that was published at most a second ago. Raises `Http404`, and
    `Crowded` while the database is too slow.

    Thousands arrive at an opening, and their room knows all else about the product.
    """
    if not settings.SHARED_PAGES:
        return int(product_of(slug).pk)
    return _keys.get(slug, lambda: int(product_of(slug).pk))

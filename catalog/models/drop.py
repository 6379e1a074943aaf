from django.db.models import Manager

from catalog.models.product import Product, ProductQuerySet


class Drops(Manager.from_queryset(ProductQuerySet)):  # type: ignore[misc]
    def get_queryset(self) -> ProductQuerySet:
        products: ProductQuerySet = super().get_queryset()
        return products.filter(opens_at__isnull=False)


class Drop(Product):
    """A product with an opening, in the admin."""

    objects = Drops()  # type: ignore[misc]

    class Meta:
        proxy = True
        default_permissions = ()
        ordering = ("-opens_at", "pk")

from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import QuerySet

from allo.postgresql.counting import UpTo
from allo.web.names import name_is_visible
from catalog import triggers

if TYPE_CHECKING:
    from catalog.models.product import Product


class CategoryQuerySet(QuerySet["Category"]):
    def with_total(self, products: QuerySet["Product"], most: int) -> Self:
        """Annotates `total` of each category, the same for all: how many products there are, or
        `most + 1` for any number above. So a page needs no query of its own for that."""
        return self.annotate(total=UpTo(products.order_by().values("pk")[: most + 1]))


class Category(models.Model):
    name = models.CharField(max_length=80, unique=True, validators=[name_is_visible])
    slug = models.SlugField(max_length=80, unique=True)
    position = models.PositiveSmallIntegerField(default=0)

    total: int  # annotated by `with_total`

    objects = CategoryQuerySet.as_manager()

    class Meta:
        ordering = ("position", "name")
        verbose_name_plural = "categories"
        triggers = triggers.OF_CATEGORY

    def __str__(self) -> str:
        return self.name

"""Old addresses of products and categories."""

from django.db import models

from catalog import triggers
from catalog.models.category import Category
from catalog.models.product import Product


class KeptSlug(models.Model):
    """A slug that something has or had: old addresses redirect to what it has now."""

    slug = models.SlugField(max_length=80)

    class Meta:
        abstract = True
        ordering = ("slug",)
        default_permissions = ()

    def __str__(self) -> str:
        return self.slug


class CategorySlug(KeptSlug):
    """Every slug that a category has or had. No other category can take it."""

    category = models.ForeignKey(Category, models.DO_NOTHING, related_name="slugs")

    class Meta(KeptSlug.Meta):
        constraints = (
            models.UniqueConstraint(fields=("slug",), name="slug_is_of_one_category_for_ever"),
        )
        triggers = triggers.kept_slugs("category")


class ProductSlug(KeptSlug):
    """Every slug that a product has or had. No other product can take it."""

    product = models.ForeignKey(Product, models.DO_NOTHING, related_name="slugs")

    class Meta(KeptSlug.Meta):
        constraints = (
            models.UniqueConstraint(fields=("slug",), name="slug_is_of_one_product_for_ever"),
        )
        triggers = triggers.kept_slugs("product")

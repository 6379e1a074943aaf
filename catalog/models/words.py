"""What searches read."""

from django.contrib.postgres.indexes import GinIndex
from django.db import models

from catalog.models.product import Product
from catalog.words import Words


class SearchText(models.Model):
    """The search index of a product. Triggers update it with every change of the product."""

    # A trigger deletes it with the product, also in plain SQL; Django's cascade would not.
    product = models.OneToOneField(
        Product, models.DO_NOTHING, primary_key=True, related_name="search_text"
    )
    words = Words(editable=False)

    class Meta:
        default_permissions = ()
        # Read far more often than written, so no pending list, which each search would have to
        # scan.
        indexes = (GinIndex(fields=("words",), name="product_by_word", fastupdate=False),)

    def __str__(self) -> str:
        return f"words of {self.product}"


class SearchWord(models.Model):
    """Every word that a product has or had, for suggestions when a search is misspelt."""

    word = models.TextField(primary_key=True)

    class Meta:
        default_permissions = ()
        indexes = (
            GinIndex(
                fields=("word",),
                name="word_by_trigram",
                opclasses=("gin_trgm_ops",),
                fastupdate=False,
            ),
        )

    def __str__(self) -> str:
        return self.word

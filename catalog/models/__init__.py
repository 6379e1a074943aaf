"""Products, their categories, pictures and old addresses, and their search index."""

from catalog.models.category import Category
from catalog.models.drop import Drop
from catalog.models.pictures import (
    Pictured,
    ProductPicture,
    ReplacedPicture,
    picture_name,
    picture_path,
    sized,
)
from catalog.models.product import MOST_GST, UNRANKED, Product, ProductQuerySet
from catalog.models.slugs import CategorySlug, ProductSlug
from catalog.models.words import SearchText, SearchWord

__all__ = [
    "MOST_GST",
    "UNRANKED",
    "Category",
    "CategorySlug",
    "Drop",
    "Pictured",
    "Product",
    "ProductPicture",
    "ProductQuerySet",
    "ProductSlug",
    "ReplacedPicture",
    "SearchText",
    "SearchWord",
    "picture_name",
    "picture_path",
    "sized",
]

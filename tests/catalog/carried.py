"""Existing products, categories and their addresses are kept and found after `migrate`."""

from collections.abc import Iterator
from importlib import import_module

from django.apps import apps
from django.db import connection
from django.test import Client

from catalog.models import Category, CategorySlug, Product, ProductSlug
from tests.stock import stocked

COLOURS = import_module("catalog.migrations.0016_colours_of_the_catalogue")
FIRST = ("catalog", "0004_search")


def addresses(client: Client) -> Iterator[None]:
    """A part of a walk: see `tests/migrations.py`."""
    stocked(3, product="flow-vase")
    stocked(3, product="cafe-cup")
    stocked(3, product="indigo-plain")
    Product.objects.filter(slug="cafe-cup").update(name="Café")
    there = set(Product.objects.values_list("slug", flat=True))
    yield
    tables = set(connection.introspection.table_names())
    assert not {"catalog_searchtext", "catalog_productslug", "catalog_categoryslug"} & tables
    yield
    assert [product.name for product in client.get("/?q=cafe").context["shown"]] == ["Café"]
    assert set(ProductSlug.objects.values_list("slug", flat=True)) == there
    Product.objects.filter(slug="flow-vase").update(slug="flow")
    assert client.get("/p/flow-vase/").headers["Location"] == "/p/flow/"
    # Products of the opening catalogue have got their colours, and all products their materials.
    coloured = Product.objects.filter(slug__in=("indigo-plain", "cafe-cup"))
    assert dict(coloured.values_list("slug", "colour")) == {"indigo-plain": "blue", "cafe-cup": ""}
    assert "indigo-plain" in [product.slug for product in client.get("/?q=blue").context["shown"]]
    coloured.update(colour="green", material="Oak")
    COLOURS.colour(apps, connection.schema_editor())
    chosen = set(coloured.values_list("colour", flat=True))
    assert chosen == {"green"}, "what staff chose stays"
    assert list(coloured.values_list("materials", flat=True)) == [["wood"]] * 2
    assert CategorySlug.objects.get().slug == "vases"
    Category.objects.update(slug="pots")
    assert client.get("/?category=vases").headers["Location"] == "/?category=pots"

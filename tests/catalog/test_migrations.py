"""Existing products, categories and their addresses are kept and found after `migrate`."""

import pytest
from django.db import connection

from catalog.models import Category, CategorySlug, Product, ProductSlug
from tests.migrations import before
from tests.stock import stocked

pytestmark = pytest.mark.django_db(transaction=True)


def test_products_of_the_last_version_are_found_and_keep_their_addresses(client) -> None:
    stocked(3)
    stocked(3, product="cafe-cup")
    Product.objects.filter(slug="cafe-cup").update(name="Café")
    with before("catalog", "0004_search"):
        tables = set(connection.introspection.table_names())
        assert not {"catalog_searchtext", "catalog_productslug", "catalog_categoryslug"} & tables
    assert [product.name for product in client.get("/?q=cafe").context["shown"]] == ["Café"]
    # Products of the opening catalogue get their colours, and all products their materials.
    assert [product.slug for product in client.get("/?q=blue").context["shown"]] == ["tidal"]
    assert set(Product.objects.values_list("slug", "colour")) == {
        ("tidal", "blue"),
        ("cafe-cup", ""),
    }
    Product.objects.filter(slug="tidal").update(colour="green", material="Oak")
    with before("catalog", "0016_colours_of_the_catalogue"):
        pass
    assert Product.objects.get(slug="tidal").colour == "green", "what staff chose stays"
    assert Product.objects.get(slug="tidal").materials == ["wood"]
    assert set(ProductSlug.objects.values_list("slug", flat=True)) == {"tidal", "cafe-cup"}
    Product.objects.filter(slug="tidal").update(slug="flow")
    assert client.get("/p/tidal/").headers["Location"] == "/p/flow/"
    assert CategorySlug.objects.get().slug == "vases"
    Category.objects.update(slug="pots")
    assert client.get("/?category=vases").headers["Location"] == "/?category=pots"

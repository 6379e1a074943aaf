"""A shop that has products already keeps them, finds them and their addresses after `migrate`."""

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from catalog.models import Product, ProductSlug
from tests.stock import stocked

pytestmark = pytest.mark.django_db(transaction=True)

BEFORE = ("catalog", "0002_published_products")


def migrate(name: tuple[str, str]) -> None:
    MigrationExecutor(connection).migrate([name])


def test_products_of_the_last_version_are_found_and_keep_their_addresses(client) -> None:
    stocked(3)
    stocked(3, product="cafe-cup")
    Product.objects.filter(slug="cafe-cup").update(name="Café")
    [newest] = MigrationExecutor(connection).loader.graph.leaf_nodes("catalog")
    migrate(BEFORE)
    try:
        assert not {"catalog_searchtext", "catalog_productslug"} & set(
            connection.introspection.table_names()
        )
    finally:
        migrate(newest)
    assert [product.name for product in client.get("/?q=cafe").context["products"]] == ["Café"]
    assert set(ProductSlug.objects.values_list("slug", flat=True)) == {"tidal", "cafe-cup"}
    Product.objects.filter(slug="tidal").update(slug="flow")
    assert client.get("/p/tidal/").headers["Location"] == "/p/flow/"

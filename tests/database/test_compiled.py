"""Queries that are compiled once find what the ORM finds."""

from uuid import uuid4

import pytest
from django.db import transaction

from allo.postgresql.compiled import Compiled, together
from catalog.models import Product
from inventory.models import Inventory
from reservations.models import Reservation
from tests.shopping import holding
from tests.stock import stocked

pytestmark = pytest.mark.django_db


def test_a_compiled_query_finds_the_same_rows_and_is_built_once(
    client, django_assert_num_queries
) -> None:
    stocked(3, product="other")
    row = stocked(3)
    held = holding(client, row, 2)
    Product.objects.filter(pk=row.product_id).update(widths=[400, 600])
    built = []

    def by_key(key):
        built.append(key)
        return Reservation.objects.with_stock().filter(pk=key)

    compiled = Compiled(by_key, type(held.pk))
    assert compiled(uuid4()) == []
    with django_assert_num_queries(1):
        [found] = compiled(held.pk)
        product, warehouse = found.inventory.product, found.inventory.warehouse
        assert (product.slug, product.widths) == ("tidal", [400, 600])
        assert (product.category.name, warehouse.code) == ("Vases", "blr-01")
    assert (found.pk, found.quantity, found.expires_at) == (held.pk, 2, held.expires_at)
    assert found.past_due is False
    assert not found._state.adding
    assert len(built) == 1


def test_a_query_that_is_not_about_all_of_its_values_is_refused() -> None:
    compiled = Compiled(lambda slug, _key: Product.objects.filter(slug=slug), str, int)
    with pytest.raises(ValueError, match="not all values are compared to"):
        compiled("tidal", 1)


def test_queries_that_are_sent_together_find_the_same_rows_in_their_order() -> None:
    first, second = stocked(3), stocked(4, product="other")
    rows = Compiled(lambda product: Inventory.objects.filter(product=product), int)
    products = Compiled(lambda slug: Product.objects.filter(slug=slug), str)
    with transaction.atomic():
        found = together((rows, second.product_id), (products, "tidal"), (rows, 0))
    assert found == [[second], [first.product], []]

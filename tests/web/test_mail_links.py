"""Signed links that were mailed go on opening what they are about."""

from uuid import uuid4

import pytest
from django.core.signing import Signer

from checkout.models import Order
from checkout.orders import links as of_orders
from reservations.models import WaitingEntry
from reservations.waiting import links as of_entries

ENTRY = uuid4()


@pytest.mark.parametrize(
    ("links", "row", "salt", "path"),
    [
        (of_orders, Order(pk=uuid4(), number="AL-1"), "checkout.order", "/orders/AL-1/"),
        (of_entries, WaitingEntry(pk=ENTRY), "reservations.waiting", f"/waiting-list/{ENTRY}/"),
    ],
    ids=["order", "entry"],
)
def test_a_link_has_the_key_that_those_of_earlier_versions_have(
    links, row, salt, path, settings
) -> None:
    settings.SITE_URL = "https://shop.example"
    key = Signer(salt=salt).signature(str(row.pk))
    assert links.link_to(row) == f"https://shop.example{path}?key={key}"
    assert links.opens(row, key)
    assert not links.opens(type(row)(pk=uuid4()), key)

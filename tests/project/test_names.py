"""Invisible names are refused wherever a name is entered."""

import pytest
from django.contrib.auth.models import User

from catalog.models import Category, Product
from inventory.models import Warehouse
from reservations.models import ApiToken, Reservation
from tests.shopping import holding, press
from tests.stock import stocked

pytestmark = pytest.mark.django_db

INVISIBLE = {
    "zero width": "\u200b\u200d\ufeff",
    "direction": "\u202e\u2066\u200f",
    "fillers": "\u3164\u115f\u2800",
    "a space and an accent": "\u00a0\u0301",
    "soft hyphens": "\u00ad\u00ad",
}
WORDS = "no visible character"


@pytest.fixture(params=INVISIBLE)
def invisible(request) -> str:
    return INVISIBLE[request.param]


def test_an_invisible_name_of_a_buyer_is_refused(client, invisible) -> None:
    reservation = holding(client, stocked(3))
    response = press(client, reservation, "confirm", name=invisible)
    assert response.status_code == 422
    assert WORDS in response.content.decode()
    assert Reservation.objects.get().status == "pending"


@pytest.mark.parametrize("name", ["Ås", "王", "🦊", "محمد", "e\u0301a", "\u200fعلي"])
def test_a_name_in_any_script_is_accepted(client, name) -> None:
    reservation = holding(client, stocked(3))
    assert press(client, reservation, "confirm", name=name).status_code == 303


@pytest.mark.parametrize(
    ("address", "model"),
    [
        ("catalog/product", Product), ("catalog/category", Category),
        ("inventory/warehouse", Warehouse), ("reservations/apitoken", ApiToken),
    ],
)  # fmt: skip
def test_invisible_names_in_the_admin_are_refused(admin_client, invisible, address, model) -> None:
    form = {"name": invisible, "slug": "x", "code": "x", "position": 0, "scopes": ["read"],
            "rate": "off", "max_units": 0}  # fmt: skip
    response = admin_client.post(f"/admin/{address}/add/", form)
    assert WORDS in response.content.decode()
    assert not model.objects.exists()
    assert User.objects.count() == 1

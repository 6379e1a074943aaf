"""How often each page asks the database: as often for a hundred products as for one."""

import pytest

from tests.shopping import holding, press
from tests.stock import pass_time, stocked

pytestmark = pytest.mark.django_db

# For a browser that has seen the form to reserve: the holds in the header.
SHOPPER = 1


@pytest.fixture(params=[1, 30])
def products(request) -> int:
    for n in range(request.param):
        for warehouse in ("blr-01", "del-01"):
            stocked(3, product=f"vase-{n}", warehouse=warehouse)
    return int(request.param)


@pytest.fixture
def shopper(client):
    holding(client, stocked(3, product="held"))
    holding(client, stocked(3, product="held-too"))
    return client


@pytest.mark.parametrize(
    ("address", "queries"),
    [
        ("/", 3),
        ("/?q=vase&in_stock=1&category=vases&sort=-price", 4),
        ("/?q=vaze+vasf", 5),
        ("/p/vase-0/", 3),
        ("/p/vase-0/reserve/", 2),
        ("/reservations/", 0),
        ("/docs/design/", 0),
        ("/nope/", 0),
    ],
)
def test_a_visitor(client, products, django_assert_num_queries, address, queries) -> None:
    with django_assert_num_queries(queries):
        client.get(address)


@pytest.mark.parametrize(
    ("address", "queries"),
    [
        ("/", 3 + SHOPPER),
        ("/p/vase-0/", 3 + SHOPPER),
        ("/p/vase-0/reserve/", 2 + SHOPPER),
        ("/reservations/", 2 + SHOPPER),
        ("/reservations/holds/", SHOPPER),
        ("/nope/", SHOPPER),
    ],
)
def test_a_shopper(shopper, products, django_assert_num_queries, address, queries) -> None:
    with django_assert_num_queries(queries):
        shopper.get(address)


def test_who_has_only_seen_the_form(client, products, django_assert_num_queries) -> None:
    client.get("/p/vase-0/reserve/")
    with django_assert_num_queries(3 + SHOPPER):
        client.get("/")


@pytest.mark.parametrize(("ending", "queries"), [(None, 2), ("confirm", 2), ("cancel", 3)])
def test_the_checkout(shopper, products, django_assert_num_queries, ending, queries) -> None:
    """The reservation, the contact, and after an end the stock that there is to reserve again."""
    reservation = holding(shopper, stocked(3, product="bought"))
    if ending:
        press(shopper, reservation, ending)
    with django_assert_num_queries(queries + SHOPPER):
        shopper.get(f"/checkout/{reservation.pk}/")


def test_a_poll_of_the_checkout(shopper, django_assert_num_queries) -> None:
    reservation = holding(shopper, stocked(3, product="bought"))
    address = f"/checkout/{reservation.pk}/"
    seen = shopper.get(address).context["seen"]
    with django_assert_num_queries(1):
        shopper.get(address, {"seen": seen}, headers={"HX-Request": "true"})


def test_expiring_on_reading_is_paid_once(shopper, django_assert_num_queries) -> None:
    reservation = holding(shopper, stocked(3, product="lapsed"))
    pass_time(601, pk=reservation.pk)
    shopper.get("/reservations/")
    with django_assert_num_queries(2 + SHOPPER):
        shopper.get("/reservations/")

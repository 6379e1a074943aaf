"""How many queries each page makes: as many for a hundred products as for one."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from checkout.models import Order
from tests.shopping import BUYER, HTMX, Page, holding, key, press
from tests.stock import pass_time, stocked

pytestmark = pytest.mark.django_db

Look = Callable[..., Page]

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


@pytest.fixture
def look(django_assert_num_queries) -> Look:
    """Opens a page; checks its status too, since an error page takes few queries."""

    def look(client: Client, address: str, queries: int, *, status: int = 200, **more) -> Page:
        with django_assert_num_queries(queries):
            response = client.get(address, **more)
        assert response.status_code == status
        return response

    return look


@pytest.mark.parametrize(
    ("address", "queries"),
    [
        ("/", 3),
        ("/?q=vase&in_stock=1&category=vases&sort=-price", 4),
        ("/?q=vaze+vasf", 5),
        ("/?material=glass&colour=blue&price=-2000&in_stock=1", 2),
        ("/suggestions/?q=va", 1),
        ("/p/vase-0/", 4),
        ("/p/vase-0/reserve/", 2),
        ("/reservations/", 0),
        ("/bag/", 0),
        ("/orders/", 0),
        ("/orders/find/", 0),
        ("/docs/design/", 0),
    ],
)
def test_a_visitor(client, products, look: Look, address, queries) -> None:
    look(client, address, queries)


@pytest.mark.parametrize(
    ("address", "queries"),
    [
        ("/", 3 + SHOPPER),
        ("/p/vase-0/", 4 + SHOPPER),
        ("/p/vase-0/reserve/", 2 + SHOPPER),
        ("/reservations/", 2 + SHOPPER),
        ("/reservations/holds/", SHOPPER),
        # The contact that was typed last.
        ("/bag/", 1 + SHOPPER),
        ("/orders/", 1 + SHOPPER),
    ],
)
def test_a_shopper(shopper, products, look: Look, address, queries) -> None:
    look(shopper, address, queries)


def test_a_page_that_is_not_there(client, shopper, look: Look) -> None:
    look(Client(), "/nope/", 0, status=404)
    look(shopper, "/nope/", SHOPPER, status=404)


def test_a_visitor_with_only_a_cookie(client, products, look: Look) -> None:
    client.get("/p/vase-0/reserve/")
    look(client, "/", 3 + SHOPPER)


@pytest.mark.parametrize(("ending", "queries"), [(None, 1), ("cancel", 3)])
def test_the_checkout(shopper, products, look: Look, ending, queries) -> None:
    """The contact; what is held, with the reservation. After an end the reservation, the stock that
    there is to reserve again, and the order that it was on."""
    reservation = holding(shopper, stocked(3, product="bought"))
    if ending:
        press(shopper, reservation, ending)
    look(shopper, f"/checkout/{reservation.pk}/", queries + SHOPPER)


def test_the_way_of_a_buyer(client, products) -> None:
    """From the dialog to the receipt: the queries before and after each verb's transaction."""
    dialog = "/p/vase-0/reserve/"
    steps: list[tuple[int, int]] = []

    def step(send: Callable[..., Page], address: str, form: dict[str, object]) -> Page:
        with CaptureQueriesContext(connection) as made:
            response = send(address, form, headers=HTMX)
        steps.append((response.status_code, outside([query["sql"] for query in made])))
        return response

    def post(address: str, **form: object) -> Page:
        return step(client.post, address, {"idempotency_key": key(), **form})

    step(client.get, dialog, {})
    place = post(dialog, quantity=1).headers["HX-Redirect"]
    step(client.get, place, {})
    post(f"{place}contact/", **BUYER)
    post(f"{place}renew/")
    post(f"{place}confirm/", quantity=1, **BUYER)
    step(client.get, "/reservations/holds/", {})
    # Dialog: product, stock. Reserve: the holds too. Checkout: the contact, what is held. Verbs:
    # what is locked; afterwards what the checkout shows, or the payment that is to be settled.
    assert steps == [(200, 2), (200, 3), (200, 2), (204, 2), (200, 5), (200, 2), (200, 1)]


def test_an_order_on_delivery(client, django_assert_num_queries) -> None:
    """The reservation. A savepoint; patience, row, keys, reservation, replies, the time; patience,
    contact, order, line, payment, the sale, the charge; its end. The payment. A savepoint; order,
    payment, charge; order, receipt, charge, payment; its end."""
    hold = holding(client, stocked(3))
    with django_assert_num_queries(1 + 15 + 1 + 9):
        assert press(client, hold, "confirm").status_code == 303
    assert Order.objects.get().state == "paid"


def outside(queries: list[str]) -> int:
    """How many there are outside of a verb's transaction, a savepoint in tests."""
    begins = [n for n, sql in enumerate(queries) if sql.startswith("SAVEPOINT")]
    ends = [n for n, sql in enumerate(queries) if sql.startswith("RELEASE")]
    inside = sum(end - begin + 1 for begin, end in zip(begins, ends, strict=True))
    return len(queries) - inside


def test_an_order_and_the_list_of_orders(shopper, products, look: Look) -> None:
    """The order, its lines, the payment, the charges without refunds, as it has none; a list of
    orders as many for several as for one."""
    made = [holding(shopper, stocked(3, product=f"bought-{n}")) for n in range(2)]
    addresses = [press(shopper, hold, "confirm").headers["Location"] for hold in made]
    shown = look(shopper, addresses[0], 4 + SHOPPER).context["shown"]
    look(shopper, addresses[0], 4, status=204, data={"seen": shown.seen}, headers=HTMX)
    look(shopper, "/orders/", 3 + SHOPPER)


def test_a_poll_of_the_bag(shopper, look: Look) -> None:
    seen = shopper.get("/bag/").context["seen"]
    look(shopper, "/bag/", SHOPPER, status=204, data={"seen": seen}, headers=HTMX)


def test_a_poll_of_the_checkout(shopper, look: Look) -> None:
    reservation = holding(shopper, stocked(3, product="bought"))
    address = f"/checkout/{reservation.pk}/"
    seen = shopper.get(address).context["seen"]
    look(shopper, address, 1, status=204, data={"seen": seen}, headers=HTMX)


def test_expiring_on_reading_is_paid_once(shopper, look: Look) -> None:
    reservation = holding(shopper, stocked(3, product="lapsed"))
    pass_time(601, pk=reservation.pk)
    shopper.get("/reservations/")
    look(shopper, "/reservations/", 2 + SHOPPER)

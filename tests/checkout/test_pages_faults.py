"""Whatever is sent to the pages that order and pay: a clear refusal, never a 500, nothing lost."""

from collections.abc import Iterator
from urllib.parse import quote

import pytest
from django.test import Client

from checkout.models import Order
from reservations.models import Reservation
from tests.shopping import BUYER, HTMX, holding, key, press
from tests.stock import stocked

pytestmark = pytest.mark.django_db

# Of a hold and of an order, and the methods that each takes.
SAFE, BOTH = {"GET", "HEAD"}, {"GET", "HEAD", "POST"}
HOLD = {
    "": SAFE, "confirm/": BOTH, "cancel/": BOTH, "renew/": BOTH, "contact/": {"POST"},
    "address/": {"POST"},
}  # fmt: skip
ORDER = {
    "": SAFE, "invoice/": SAFE, "pay/": BOTH, "paid/": SAFE, "back/": SAFE, "drop/": {"POST"},
}  # fmt: skip
PLAIN = {
    "/bag/": SAFE, "/bag/pay/": BOTH, "/orders/": SAFE, "/orders/find/": BOTH,
    "/payments/hook/bank/": {"POST"},
}  # fmt: skip
STRANGE = (
    "x", "AL-0000", "AL-\0\0\0\0-0000", "\0", "A" * 10_000, "\N{CHERRY BLOSSOM}", "آشا", "'; drop",
    "AL-7K3M-9QTX\n", "..", " ",
)  # fmt: skip


@pytest.fixture
def hold(client) -> Reservation:
    return holding(client, stocked(5))


@pytest.fixture
def order(client) -> Order:
    press(client, holding(client, stocked(5, product="sold")), "confirm")
    return Order.objects.get()


def pages(hold: Reservation, order: Order) -> Iterator[tuple[str, set[str]]]:
    yield from ((f"/checkout/{hold.pk}/{page}", takes) for page, takes in HOLD.items())
    yield from ((f"/orders/{order.number}/{page}", takes) for page, takes in ORDER.items())


def found(page: str) -> int:
    """What a stranger gets: one who comes back from a bank is asked for the order's number and
    address, whether or not there is such an order."""
    return 303 if page.partition("?")[0].endswith(("/paid/", "/back/")) else 404


def test_another_method_is_refused_with_those_it_takes(client, hold, order) -> None:
    for page, takes in [*pages(hold, order), *PLAIN.items()]:
        for method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} - takes:
            refused = client.generic(method, page)
            assert refused.status_code == 405, (method, page)
            assert {*refused.headers["Allow"].split(", ")} == takes, (method, page)


def test_what_belongs_to_another_browser_is_not_found_and_stays_as_it_is(
    client, hold, order
) -> None:
    stranger = Client()
    holding(stranger, stocked(5, product="theirs"))
    for page, takes in pages(hold, order):
        for method in takes:
            assert stranger.generic(method, page).status_code == found(page), (method, page)
    assert Reservation.objects.get(pk=hold.pk) == hold
    assert (Order.objects.get().state, hold.is_pending) == ("paid", True)


def test_strange_names_and_queries_are_not_found_or_ignored(client, hold, order) -> None:
    for strange in map(quote, STRANGE):
        addresses = [f"/orders/{strange}/{page}" for page in ORDER]
        addresses += [f"/checkout/{strange}/{page}" for page in HOLD]
        addresses += [f"/payments/hook/{strange}/", f"/orders/?before={strange}"]
        addresses += [f"/orders/?after={strange}"]
        addresses += [f"/orders/{order.number}/{page}?key={strange}" for page in ("paid/", "")]
        for address in addresses:
            for method in ("GET", "POST"):
                status = client.generic(method, address).status_code
                assert status in (found(address), 405), (method, address, status)
        for page in (f"/checkout/{hold.pk}/", "/bag/", f"/orders/{order.number}/"):
            assert client.get(f"{page}?seen={strange}", headers=HTMX).status_code == 200
        assert client.get(f"/orders/find/?number={strange}").status_code == 200


@pytest.mark.parametrize(
    ("typed", "status"),
    [
        ({"idempotency_key": ""}, 400),
        ({"idempotency_key": "\0"}, 400),
        ({"idempotency_key": "x" * 256}, 400),
        ({"name": "x" * 3_000_000}, 400),
        ({f"field-{n}": "x" for n in range(1001)}, 400),
        ({"name": "a\0b"}, 422),
        ({"name": "\u200b"}, 422),
        ({"name": "x" * 10_000, "email": "x" * 10_000, "line1": "x" * 10_000}, 422),
        ({"phone": "9" * 10_000}, 422),
        ({"pin": "1" * 10_000}, 422),
        ({"region": "XX"}, 422),
        ({"delivery": "fly"}, 422),
        ({"quantity": "999999999", "quantity-{}": "999999999"}, 409),
        ({"unit_paise": "0", "unit_paise-{}": "0"}, 409),
    ],
)
def test_what_cannot_be_ordered_says_so_and_orders_nothing(client, hold, typed, status) -> None:
    typed = {name.format(hold.pk): value for name, value in typed.items()}
    form = {**BUYER, "hold": [hold.pk, hold.pk], "idempotency_key": key(), **typed}
    for page in (f"/checkout/{hold.pk}/confirm/", "/bag/pay/"):
        for headers in ({}, HTMX):
            assert client.post(page, form, headers=headers).status_code == status
    assert not Order.objects.exists()
    assert Reservation.objects.get(pk=hold.pk).is_pending


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"\xff" * 100, "application/x-www-form-urlencoded"),
        (b"name=%ff%fe%00&idempotency_key=%00", "application/x-www-form-urlencoded"),
        (b"{}", "application/json"),
        (b"--x", "multipart/form-data; boundary=x"),
        (b"name=x", "multipart/form-data"),
        (b"a=1&" * 5000, "application/x-www-form-urlencoded"),
        (b"name=x", "application/x-www-form-urlencoded; charset=nonsense"),
        (b"", "text/plain"),
    ],
)
def test_a_body_that_is_no_form_acts_on_nothing(client, hold, body, kind) -> None:
    for verb in ("confirm", "cancel", "renew"):
        page = f"/checkout/{hold.pk}/{verb}/"
        assert client.generic("POST", page, body, content_type=kind).status_code == 400, verb
    assert client.generic("POST", "/bag/pay/", body, content_type=kind).status_code == 400
    assert Reservation.objects.get(pk=hold.pk).is_pending


def test_one_key_with_another_form_is_refused(client, hold) -> None:
    once = key()
    refused = press(client, hold, "confirm", idempotency_key=once, unit_paise=1)
    assert refused.status_code == 409
    again = press(client, hold, "confirm", idempotency_key=once, name="Another")
    assert (again.status_code, again.context["refusal"].code) == (409, "idempotency_conflict")
    assert again.context["form"]["name"].value() == "Another"
    assert not Order.objects.exists()

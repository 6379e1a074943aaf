"""A shopper's requests to the shop's forms."""

import re
from typing import Any, TypeAlias
from uuid import uuid4

from django.conf import settings
from django.test import Client

from inventory.models import Inventory
from reservations.models import Reservation

# A response of Django's test client, with `context` and `templates`.
Page: TypeAlias = Any

HTMX = {"HX-Request": "true"}
BUYER = {
    "name": "Asha Rao",
    "email": "asha@example.org",
    "phone": "98450 12345",
    "delivery": "send",
    "line1": "12 MG Road",
    "city": "Bengaluru",
    "region": "KA",
    "pin": "560001",
}


def aged(seen: str, seconds: float) -> str:
    """What a page sends with its poll when it has been open for so much longer."""
    state, _, at = seen.partition(".")
    return f"{state}.{int(at) - int(seconds)}"


def key() -> str:
    return str(uuid4())


def words(page: Page) -> str:
    """What it says, without its tags."""
    return " ".join(re.sub(r"<[^>]+>", " ", page.content.decode()).split())


def said(page: Page) -> str:
    """The messages on it."""
    return " ".join(str(message) for message in page.context["messages"])


def hidden(page: Page) -> dict[str, str]:
    """The token and the key of a page's first form."""
    found = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.content.decode())
    fields = {"csrfmiddlewaretoken", "idempotency_key"}
    return {name: value for name, value in reversed(found) if name in fields}


def terms(page: Page) -> dict[str, str]:
    """The settings that a page's form to order shows, as it sends them."""
    hidden_fields = r'name="(shipping_paise|provider)" value="([^"]*)"'
    return dict(re.findall(hidden_fields, page.content.decode()))


def press_reserve(client: Client, row: Inventory, quantity: object = 1, **more: Any) -> Page:
    """Opens the form of the row's product if this browser never has, and posts it; `more` are
    other fields, or `headers`."""
    headers = more.pop("headers", None)
    form = {
        "warehouse": row.warehouse.code,
        "quantity": quantity,
        "idempotency_key": key(),
        **more,
    }
    address = f"/p/{row.product.slug}/reserve/"
    # One that was deleted is empty.
    cookie = client.cookies.get(settings.VISITOR_COOKIE_NAME)
    if cookie is None or not cookie.value:
        client.get(address)
    return client.post(address, form, headers=headers)


def holding(client: Client, row: Inventory, quantity: int = 1) -> Reservation:
    """Presses Reserve; returns the new reservation, which the client holds."""
    response = press_reserve(client, row, quantity)
    assert response.status_code == 303, response.content
    return Reservation.objects.with_stock().get(pk=response.headers["Location"].split("/")[2])


def press(client: Client, reservation: Reservation, verb: str, **more: Any) -> Page:
    """Posts one of the checkout's forms: confirm (by `BUYER`), cancel or renew."""
    headers = more.pop("headers", None)
    form = {"idempotency_key": key(), **more}
    if verb == "confirm":
        form = {**BUYER, **form}
    address = f"/checkout/{reservation.pk}/{verb}/"
    return client.post(address, form, headers=headers)

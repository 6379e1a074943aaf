"""A shopper who joins the waiting list, reads the mail, and follows its link."""

import re
from email.message import EmailMessage
from typing import Any
from uuid import UUID

from django.test import Client

from inventory.models import Inventory
from reservations import services as reservations
from reservations.engine.commands import Holder
from reservations.models import Reservation, WaitingEntry
from reservations.waiting import links, services
from tests.accounts.signing_in import text_of
from tests.shopping import Page, holding, key
from tests.stock import stocked

EMAIL = "asha@example.org"


def join(client: Client, row: Inventory, email: str = EMAIL, **more: Any) -> Page:
    """Posts the form to join; `more` are other fields, or `headers`."""
    headers = more.pop("headers", None)
    form = {
        "quantity": 1, "fewer": "on", "warehouse": "", "email": email,
        "idempotency_key": key(), **more,
    }  # fmt: skip
    return client.post(f"/p/{row.product.slug}/waiting-list/", form, headers=headers)


def asked(row: Inventory, email: str = EMAIL, **more: Any) -> WaitingEntry:
    """An entry that its person has yet to confirm."""
    wish: dict[str, Any] = {"quantity": 1, "exactly": False, "warehouse_id": None, "network": ""}
    return services.join(product_id=row.product_id, email=email, confirmed=False, **(wish | more))


def waiting(row: Inventory, email: str = EMAIL, **more: Any) -> WaitingEntry:
    return services.confirm(entry_id=asked(row, email, **more).pk)


def all_held(row: Inventory) -> Reservation:
    """Somebody else holds all there is."""
    return reservations.reserve_in(
        rows=(row.pk,), quantity=row.total_units, holder=Holder("token:1:all", "token:1", cap=0)
    )


def given_back(held: Reservation) -> WaitingEntry:
    """What was held is free, and the list is served; the first entry as it is then."""
    reservations.release(reservation_id=held.pk)
    services.serve(held.inventory.product_id)
    return services.get(entry_id=WaitingEntry.objects.in_order()[0].pk)


def offered_beside(client: Client) -> tuple[Reservation, WaitingEntry]:
    """What the client holds itself, and an offer that it opened by the link of its mail."""
    mine = holding(client, stocked(1, product="jug"))
    row = stocked(1)
    held = all_held(row)
    waiting(row)
    entry = given_back(held)
    opened(entry, client)
    return mine, entry


def opened(entry: WaitingEntry, client: Client | None = None) -> Client:
    """A browser that followed a link of the entry's mail."""
    client = client or Client()
    address = links.path_to(entry)
    answer = client.get(f"{address}?key={links.key_of(entry)}")
    assert (answer.status_code, answer.headers["Location"]) == (303, address)
    return client


def press(client: Client, entry: WaitingEntry, verb: str) -> Page:
    """Posts one of the place's forms: confirm, leave or decline."""
    return client.post(links.path_to(entry, verb))


def shown(client: Client, entry: WaitingEntry) -> str:
    """The words of the page of the entry."""
    answer = client.get(links.path_to(entry))
    assert answer.status_code == 200
    main = re.search(r"<main.*</main>", answer.content.decode(), re.DOTALL)
    assert main
    return " ".join(re.sub(r"<[^>]+>", " ", main[0]).replace("&nbsp;", " ").split())


def link_in(mail: EmailMessage) -> str:
    """Without the shop's origin."""
    found = re.search(r"https?://[^/\s]+(/waiting-list/\S+)", text_of(mail))
    assert found
    return found[1]


def entry_in(link: str) -> UUID:
    return UUID(link.split("/")[2])

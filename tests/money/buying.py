"""A shopper who orders and pays, with the bank's real process."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import pgtrigger
from django.db.models import F
from django.test import Client

from checkout.models import Order, Payment
from checkout.settle import settle
from inventory.models import Inventory
from reservations.models import Reservation
from tests.bank import BankProcess
from tests.shopping import BUYER, Page, holding, key
from tests.stock import stocked, units

# What a captured payment of one unit moves at the bank.
SOLD = [("authorised", 385_000), ("captured", 385_000)]


@dataclass
class Purchase:
    """A hold that was ordered: its payment page is open at the bank."""

    bank: BankProcess
    client: Client
    row: Inventory
    hold: Reservation
    order_id: UUID

    @property
    def order(self) -> Order:
        return Order.objects.get(pk=self.order_id)

    @property
    def payment(self) -> Payment:
        return self.order.payments.latest("created_at")

    def pays(self, way: str = "card") -> str:
        """Returns the bank's reference of the money; "" if none appeared."""
        session = f"sessions/{self.payment.session_ref}/pay"
        return str((self.bank.control(session, way=way) or {}).get("id", ""))

    def intents(self) -> list[dict[str, Any]]:
        """The money of this order in the bank's own books, the first first."""
        session = self.payment.session_ref
        return self.bank.books("intent", session=str(session))[::-1]

    def moves(self) -> list[list[tuple[str, int]]]:
        """What happened to each of the `intents`, and of how many paise."""
        return [self.bank.moves(intent["id"]) for intent in self.intents()]

    def settle(self) -> str:
        return settle(self.payment.pk).state

    def page(self) -> Page:
        return self.client.get(f"/orders/{self.order.number}/")

    @property
    def units(self) -> tuple[int, int]:
        return units(self.row)


def press_pay(client: Client, hold: Reservation, **form: Any) -> Page:
    typed = {**BUYER, "idempotency_key": key(), **form}
    return client.post(f"/checkout/{hold.pk}/confirm/", typed)


def buy(
    bank: BankProcess,
    client: Client,
    row: Inventory | None = None,
    quantity: int = 1,
    **form: Any,
) -> Purchase:
    row = row or stocked(5)
    hold = holding(client, row, quantity)
    response = press_pay(client, hold, **form)
    assert response.status_code == 303, response.content.decode()
    assert response.headers["Location"].startswith(bank.url), response.headers["Location"]
    order = Order.objects.get(order_lines__reservation=hold, order_lines__active=True)
    return Purchase(bank, client, row, hold, order.pk)


def miss(payment: Payment) -> None:
    """Its time ends without a page, and its holds last on."""
    ago = timedelta(minutes=20)
    times = {name: F(name) - ago for name in ("created_at", "expires_at")}
    with pgtrigger.ignore("checkout.Payment:invitation_stays_as_made"):
        Payment.objects.filter(pk=payment.pk).update(**times)

"""A program that holds and pays through the API, with the bank's real process."""

import json
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from django.test import Client

from checkout.models import Order
from inventory.models import Inventory
from reservations.models import Reservation
from tests.bank import BankProcess
from tests.stock import stocked, units

VISA, DECLINED, SECURE = "pm_card_visa", "pm_card_chargeDeclined", "pm_card_authenticationRequired"


@dataclass
class Program:
    """An anonymous caller with a hold of two units."""

    row: Inventory
    hold: Reservation
    token: str
    bank: BankProcess | None = None

    def call(self, verb: str = "", body: Any = None, key: str = "", client: Any = None) -> Any:
        """`client` is a browser's, else nobody's."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        headers |= {"Idempotency-Key": key} if key else {}
        address = f"/api/reservations/{self.hold.pk}{verb}"
        data = b"" if body is None else json.dumps(body)
        return (client or Client()).generic(
            "POST" if verb else "GET", address, data, "application/json", headers=headers
        )

    def confirm(self, method: str = "", key: str = "", **body: Any) -> tuple[int, str]:
        """The status, and the code of the refusal or the status of the reservation."""
        answer = self.call("/confirm", ({"payment_method": method} if method else {}) | body, key)
        said = answer.json()
        return answer.status_code, said.get("code") or said["status"]

    @property
    def order(self) -> Order:
        return Order.objects.get(order_lines__reservation=self.hold, order_lines__active=True)

    @property
    def moves(self) -> list[list[tuple[str, int]]]:
        """What happened to the money of each of its payments, by the bank's own books."""
        assert self.bank
        payments = self.order.payments.order_by("created_at")
        return [self.bank.moves(payment.session_ref or "none") for payment in payments]

    @property
    def units(self) -> tuple[int, int]:
        return units(self.row)


def program(bank: BankProcess | None = None, row: Inventory | None = None) -> Program:
    row = row or stocked(5)
    wanted = {"product": row.product.slug, "quantity": 2}
    held = Client().post("/api/reservations", wanted, "application/json").json()
    return Program(row, Reservation.objects.get(pk=held["id"]), held["token"], bank)


def key() -> str:
    return str(uuid4())

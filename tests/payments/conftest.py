import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from checkout.payments.base import Invitation, Item, Money, Seen, Session
from checkout.payments.stripe import Stripe
from tests.bank import BankProcess, running_bank

# With a key of Stripe's test mode, what is possible without a browser runs against Stripe as well.
STRIPE_KEY = os.environ.get("STRIPE_TEST_KEY", "")
PROVIDERS = ["bank", *(["stripe"] if STRIPE_KEY else [])]


@pytest.fixture(scope="session")
def bank() -> Iterator[BankProcess]:
    with running_bank() as bank:
        yield bank


@pytest.fixture
def provider(bank: BankProcess) -> Stripe:
    return bank.provider()


@pytest.fixture(params=PROVIDERS)
def either(request, bank: BankProcess) -> Stripe:
    if request.param == "bank":
        return bank.provider()
    return Stripe(key=STRIPE_KEY, hook_secret="whsec_none", seconds=20)


@pytest.fixture
def invitation() -> Invitation:
    return new_invitation()


def new_invitation(**changes) -> Invitation:
    invitation = Invitation(
        payment_id=uuid4(),
        order_number="AL-7K3M-9QTX",
        items=(
            Item(name="Tidal <lamp> & shade", unit_paise=1_245_000, quantity=2),
            Item(name="Café ₹ tray", unit_paise=99_950, quantity=1),
        ),
        shipping_paise=9_900,
        email="meera@shop.example",
        success_url="http://127.0.0.1:8000/orders/return/",
        cancel_url="http://127.0.0.1:8000/bag/",
        begins_at=datetime.now(UTC),
        expires_at=datetime.now(UTC) + timedelta(minutes=15),
    )
    return replace(invitation, **changes)


def pay(provider: Stripe, invitation: Invitation, method: str = "pm_card_visa") -> str:
    """A program pays; returns the reference of the money."""
    reference = provider.prepare(invitation).reference
    provider.pay(reference, invitation, method)
    return reference


class Payment:
    """An invitation whose page was opened at the bank, with what a shopper does there."""

    def __init__(self, bank: BankProcess, provider: Stripe, **changes) -> None:
        self.bank, self.provider = bank, provider
        self.invitation = new_invitation(**changes)
        self.session: Session = provider.open(self.invitation)

    @property
    def total(self) -> int:
        return self.invitation.total_paise

    def look(self) -> Seen:
        return self.provider.look(self.invitation.payment_id, self.session.reference)

    @property
    def money(self) -> Money:
        (money,) = self.look().money
        return money

    def pays(self, way: str = "card") -> str:
        """Returns the intent."""
        paid = self.bank.control(f"sessions/{self.session.reference}/pay", way=way)
        return str(paid["id"])

    def captured(self) -> str:
        reference = self.pays()
        self.provider.capture(reference, self.total)
        return reference


@pytest.fixture
def payment(bank: BankProcess, provider: Stripe) -> Payment:
    return Payment(bank, provider)

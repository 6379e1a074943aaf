"""One pays at the bank of `make up`: another origin, no script, every page accessible."""

import re
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from playwright.sync_api import Page, expect

from checkout.payments.base import Fact, Invitation, Item, Session
from checkout.payments.stripe import Stripe
from tests.browser.axe import faults
from tests.browser.conftest import NewContext
from tests.running import Shop

pytestmark = pytest.mark.browser


class Payment:
    def __init__(self, shop: Shop) -> None:
        found = shop.variables()
        url = found["BANK_URL"]
        self.provider = Stripe(
            key=found["BANK_SECRET"], hook_secret=found["BANK_WEBHOOK_SECRET"], api=url,
            origin=url, proxies=False, seconds=60,
        )  # fmt: skip
        self.invitation = Invitation(
            payment_id=uuid4(),
            order_number="AL-7K3M-9QTX",
            items=(Item(name="Tidal", unit_paise=1_245_000, quantity=2),),
            shipping_paise=0,
            email="",
            success_url=f"{shop.url}/docs/",
            cancel_url=f"{shop.url}/reservations/",
            begins_at=datetime.now(UTC),
            expires_at=datetime.now(UTC) + timedelta(minutes=15),
        )
        self.session: Session = self.provider.open(self.invitation)

    @property
    def facts(self) -> list[Fact]:
        seen = self.provider.look(self.invitation.payment_id, self.session.reference)
        return [money.fact for money in seen.money]


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=re.compile(name)).press("Enter")


def test_each_page_of_the_bank_passes_axe(page: Page, shop: Shop) -> None:
    payment = Payment(shop)
    page.goto(payment.session.url)
    assert faults(page) == []
    press(page, "3-D Secure")
    assert faults(page) == []
    press(page, "No")
    expect(page.get_by_role("alert")).to_be_visible()
    assert faults(page) == []
    page.get_by_role("link", name="The bank", exact=True).click()
    assert faults(page) == []


@pytest.mark.parametrize("java_script", [True, False])
def test_paying_leads_from_the_shop_to_the_bank_and_back(
    shop: Shop, new_context: NewContext, java_script: bool
) -> None:
    payment = Payment(shop)
    page = new_context(java_script_enabled=java_script).new_page()
    page.goto("/")
    page.goto(payment.session.url)
    press(page, "Decline")
    press(page, "by card")
    expect(page).to_have_url(payment.invitation.success_url)
    assert payment.facts == [Fact.AUTHORISED]


def test_one_can_go_back_without_paying(page: Page, shop: Shop) -> None:
    payment = Payment(shop)
    page.goto(payment.session.url)
    page.get_by_role("link", name="Back to the shop, without paying").click()
    expect(page).to_have_url(payment.invitation.cancel_url)
    assert payment.facts == []

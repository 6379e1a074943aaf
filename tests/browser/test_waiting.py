"""The waiting list in a real browser: joined here, confirmed and paid on the phone."""

import re
import time
from email import message_from_bytes
from email.policy import default

import pytest
from playwright.sync_api import Page, expect

from tests.browser.axe import faults
from tests.browser.conftest import Complaints, NewContext, screen
from tests.browser.shopping import Shelf, confirm, heading, hold, rare
from tests.browser.test_stock_words import STREAM
from tests.running import Shop, wait_for

pytestmark = pytest.mark.browser

# What a page hears by its stream, which works.
SAY = """
(data) => {
    for (const stream of streams) {
        stream.beat();
        stream.onmessage({ data });
    }
}
"""
HALF = "Math.random = () => 0.5;"


def links_to(shop: Shop, email: str, kind: str) -> list[str]:
    """In the mails of this kind to that address, which are files: without the shop's origin."""
    found = []
    for file in (shop.state / "mail").glob(f"*-{kind}-*.eml"):
        mail = message_from_bytes(file.read_bytes(), policy=default)
        if mail["To"] == email and (body := mail.get_body(("plain",))):
            found += re.findall(r"(/waiting-list/\S+)", str(body.get_content()))
    return found


def mailed(shop: Shop, email: str, kind: str) -> str:
    wait_for(lambda: bool(links_to(shop, email, kind)))
    return links_to(shop, email, kind)[0]


def join(page: Page, shelf: Shelf, email: str) -> None:
    page.goto(shelf.address)
    page.get_by_role("link", name="Join the waiting list").click()
    form = page.locator("#join-form")
    form.get_by_label("E-mail").fill(email)
    form.get_by_role("button", name="Join the waiting list").click()
    expect(page.get_by_text("Look into your mail.")).to_be_visible()


def give_back(page: Page, checkout: str) -> None:
    page.goto(f"{checkout}cancel/")
    page.get_by_role("button", name="Cancel the reservation").click()
    expect(heading(page, "Back on the shelf.")).to_be_visible()


@pytest.mark.parametrize("javascript", [True, False])
def test_a_place_is_joined_offered_and_paid_on_another_device(
    new_context: NewContext, shop: Shop, complaints: Complaints, javascript: bool
) -> None:
    def passes(page: Page) -> None:
        """Axe is a script."""
        assert not javascript or faults(page) == []

    email = f"asha{time.monotonic_ns()}@example.org"
    laptop, phone = (
        new_context(**screen(name), java_script_enabled=javascript).new_page()
        for name in ("1440-dark", "360-light")
    )
    shelf = rare(shop)
    other = new_context().new_page()
    checkout = hold(other, shelf)
    join(laptop, shelf, email)
    passes(laptop)
    phone.goto(mailed(shop, email, "list_join"))
    expect(heading(phone, "One more step.")).to_be_visible()
    passes(phone)
    phone.get_by_role("button", name="Confirm my place").click()
    expect(heading(phone, "You are first in line.")).to_be_visible()
    assert "key=" not in phone.url
    passes(phone)
    give_back(other, checkout)
    # Nobody else can take it from now on.
    link = mailed(shop, email, "list_offer")
    other.goto(shelf.address)
    expect(other.get_by_role("link", name="Reserve", exact=True)).to_be_hidden()
    if not javascript:
        phone.reload()
    expect(heading(phone, "It is your turn.")).to_be_visible()
    passes(phone)
    laptop.goto(link)
    laptop.get_by_role("link", name="Pay ₹").click()
    expect(heading(laptop, f"{shelf.product} is held for you")).to_be_visible()
    confirm(laptop)
    expect(heading(laptop, "It is yours.")).to_be_visible()
    phone.reload()
    expect(heading(phone, "It is yours.")).to_be_visible()
    passes(phone)


def test_a_page_asks_once_however_often_its_list_changes_and_at_once_for_its_own_offer(
    page: Page, new_context: NewContext, shop: Shop
) -> None:
    email = f"meera{time.monotonic_ns()}@example.org"
    shelf = rare(shop)
    hold(new_context().new_page(), shelf)
    join(page, shelf, email)
    page.clock.install()
    page.add_init_script(STREAM + HALF)
    page.goto(mailed(shop, email, "list_join"))
    page.get_by_role("button", name="Confirm my place").click()
    expect(heading(page, "You are first in line.")).to_be_visible()
    heard = page.locator("#place").get_attribute("data-live") or ""
    own, of_list = heard.split(" ")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    def hears(line: str, seconds: float) -> int:
        """How often the page requests its part when it hears this four times a second."""
        asked.clear()
        for _ in range(int(4 * seconds)):
            page.evaluate(SAY, line)
            page.clock.run_for(250)
        return sum("/waiting-list/" in url for url in asked)

    # From here on its clock stands still between two of them.
    page.clock.pause_at(page.evaluate("Date.now() / 1000 + 1"))
    moved = f"60000 {of_list.rpartition(':')[0].rpartition(':')[0]} page 1 20"
    assert hears(moved, 50) == 1
    assert hears(f"0 {own} page 1", 0.25) == 1

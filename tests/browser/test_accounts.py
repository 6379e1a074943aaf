"""An account in a real browser: signed in by the code of the mail, on two devices."""

import re
import time
from collections.abc import Callable
from email import message_from_bytes
from email.policy import default

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.axe import faults
from tests.browser.conftest import Complaints, NewContext, screen
from tests.browser.shopping import confirm, heading, hold, type_buyer, untouched
from tests.browser.test_offline import REFRESHED
from tests.running import Shop, wait_for

pytestmark = pytest.mark.browser


def codes_for(shop: Shop, email: str) -> list[str]:
    """Of the mails to that address, from the files that they are, in the order of sending."""
    found = []
    files = (shop.state / "mail").glob("*-sign_in_code-*.eml")
    for file in sorted(files, key=lambda file: file.stat().st_mtime_ns):
        mail = message_from_bytes(file.read_bytes(), policy=default)
        if mail["To"] == email and (body := mail.get_body(("plain",))):
            found += re.findall(r"\b\d{3} \d{3}\b", str(body.get_content()))
    return found


def sign_in(page: Page, shop: Shop, email: str, passes: Callable[[Page], None]) -> None:
    page.get_by_role("link", name="Sign in").click()
    page.get_by_label("E-mail").fill(email)
    passes(page)
    before = len(codes_for(shop, email))
    page.get_by_role("button", name="Send me a code").click()
    expect(heading(page, "Type the code")).to_be_visible()
    passes(page)
    expect(page.get_by_label("Code", exact=True)).to_be_focused()
    wait_for(lambda: len(codes_for(shop, email)) > before)
    page.keyboard.type(codes_for(shop, email)[-1])
    page.keyboard.press("Enter")
    expect(heading(page, "Account")).to_be_visible()
    expect(page.get_by_text(email)).to_be_visible()


@pytest.mark.parametrize("javascript", [True, False])
def test_what_is_held_on_one_device_is_paid_on_another(
    new_context: NewContext, shop: Shop, complaints: Complaints, javascript: bool
) -> None:
    def passes(page: Page) -> None:
        """Axe is a script."""
        assert not javascript or faults(page) == []

    email = f"asha{time.monotonic_ns()}@example.org"
    phone, laptop = (
        new_context(**screen(name), java_script_enabled=javascript).new_page()
        for name in ("360-light", "1440-dark")
    )
    shelf = untouched(shop)
    checkout = hold(phone, shelf, 2)
    sign_in(phone, shop, email, passes)
    laptop.goto("/")
    sign_in(laptop, shop, email, passes)
    passes(laptop)
    laptop.get_by_role("link", name=re.compile("1 held,")).click()
    expect(laptop).to_have_url(checkout)
    confirm(laptop)
    expect(heading(laptop, "It is yours.")).to_be_visible()
    phone.goto("/orders/")
    expect(phone.get_by_role("link", name=shelf.product)).to_be_visible()
    viewed = "localStorage.getItem('viewed')"
    assert not javascript or phone.evaluate(viewed)
    phone.goto("/account/")
    laptop.goto("/account/sessions/")
    passes(laptop)
    laptop.get_by_role("button", name="Sign out everywhere").click()
    expect(heading(laptop, "Sign in")).to_be_visible()
    passes(laptop)
    if javascript:
        # As when the phone's tab is looked at again.
        phone.locator("#account").evaluate(REFRESHED)
    else:
        phone.reload()
    expect(heading(phone, "Sign in")).to_be_visible()
    assert not javascript or phone.evaluate(viewed) is None


def test_a_checkout_in_one_tab_goes_on_after_signing_in_in_another(
    page: Page, shop: Shop, complaints: Complaints
) -> None:
    # A form with the token of before, and a refresh just before what is held is the account's.
    complaints.expect("status of 40[34]|Response Status Error Code 40[34]")
    shelf = untouched(shop)
    hold(page, shelf)
    page.get_by_label("Name", exact=True).fill("Asha Rao")
    other = page.context.new_page()
    other.goto("/")
    sign_in(other, shop, f"asha{time.monotonic_ns()}@example.org", lambda _: None)
    type_buyer(page)
    expect(page.get_by_label("Save this address in my account")).to_be_visible()
    confirm(page)


SAVE = """
    INSERT INTO checkout_address (account_id, name, phone, line1, city, region, pin)
    SELECT id, 'Asha Rao', '+919845012345', '4 Lake View', 'Bengaluru', 'KA', '560001'
    FROM auth_user WHERE email = '{email}'
"""


@pytest.fixture
def address_book(page: Page, shop: Shop) -> Page:
    """The checkout of somebody who has saved an address."""
    email = f"asha{time.monotonic_ns()}@example.org"
    checkout = hold(page, untouched(shop))
    sign_in(page, shop, email, lambda _: None)
    shop.sql(SAVE.format(email=email))
    page.goto(checkout)
    return page


def type_and_choose(page: Page) -> Locator:
    """A line of an address, and then another one that was saved."""
    line = page.locator("[name=line1]")
    line.fill("1 Old Road")
    with page.expect_request("**/contact/"):
        line.blur()
    page.get_by_role("button", name="4 Lake View").click()
    return line


def is_chosen(page: Page, line: Locator) -> None:
    expect(line).to_have_value("4 Lake View")
    page.reload()
    expect(line).to_have_value("4 Lake View")


def test_a_saved_address_is_not_replaced_by_what_was_typed_before(address_book: Page) -> None:
    drafts: list[Route] = []
    # Playwright accepts only functions written in Python.
    address_book.route("**/contact/", lambda route: drafts.append(route))  # noqa: PLW0108
    line = type_and_choose(address_book)
    [draft] = drafts
    draft.fulfill(response=draft.fetch())
    is_chosen(address_book, line)


def test_nor_if_both_were_lost_at_first(address_book: Page, complaints: Complaints) -> None:
    complaints.expect("ERR_FAILED|htmx:(sendError|afterRequest)")
    kept = re.compile("/(contact|address)/$")
    # After anything that comes through, both would be sent in their order.
    for lost in (kept, re.compile("/holds/$|[?]seen=")):
        address_book.route(lost, lambda route: route.abort())
    with address_book.expect_event("requestfailed", lambda it: it.url.endswith("/address/")):
        line = type_and_choose(address_book)
    stored: list[str] = []
    address_book.on("response", lambda it: stored.extend(kept.findall(it.url)))
    with address_book.expect_response("**/address/"):
        address_book.unroute(kept)
    assert stored == ["contact", "address"]
    is_chosen(address_book, line)

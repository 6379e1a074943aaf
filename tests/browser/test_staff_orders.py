"""A manager takes an order from the shop's checkout to the buyer, and money back."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.axe import faults
from tests.browser.conftest import Complaints, SignIn
from tests.browser.shopping import confirm, heading, hold, untouched
from tests.running import Shop

pytestmark = pytest.mark.browser

LIST = "/admin/checkout/order/"


def test_an_order_from_the_list_to_the_buyer(
    page: Page, shop: Shop, sign_in: SignIn, complaints: Complaints
) -> None:
    complaints.expect("status of 422")
    shelf = untouched(shop)
    hold(page, shelf, 2)
    confirm(page)
    expect(heading(page, "It is yours.")).to_be_visible()
    number = page.url.rstrip("/").rpartition("/")[2]
    staff = sign_in("manager")
    staff.get_by_role("link", name=re.compile("^To pack")).click()
    assert faults(staff) == []
    staff.get_by_role("link", name=number, exact=True).click()
    assert faults(staff) == []
    staff.get_by_role("link", name="Packing slip").click()
    expect(staff.get_by_role("heading", name=number)).to_be_visible()
    assert faults(staff) == []
    staff.get_by_role("link", name="Back").click()
    staff.get_by_role("link", name="Pack …").click()
    staff.get_by_role("button", name=f"Pack order {number}").click()
    expect(staff.get_by_role("status")).to_contain_text(f"Packed: {number}.")
    expect(heading(page, "It is packed.")).to_be_visible()
    staff.get_by_role("link", name="Ship …").click()
    staff.get_by_role("button", name="Ship order").click()
    expect(staff.get_by_text("Fill this in.")).to_be_visible()
    assert faults(staff) == []
    staff.get_by_label("Carrier").fill("Blue Dart")
    staff.get_by_label("Tracking number").fill("BD 4471")
    staff.get_by_role("button", name="Ship order").click()
    expect(page.get_by_text("BD 4471")).to_be_visible()
    staff.get_by_role("link", name="Refund …").click()
    assert faults(staff) == []
    staff.get_by_label("Units of").fill("1")
    staff.get_by_label("Reason").fill("A scratch")
    staff.get_by_role("button", name="Refund order").click()
    expect(staff.get_by_text("A scratch").first).to_be_visible()
    staff.get_by_role("link", name="Deliver …").click()
    staff.get_by_role("button", name="Deliver order").click()
    expect(heading(page, "It is with you.")).to_be_visible()
    page.emulate_media(media="print")
    expect(page.get_by_text("receipt of order")).to_be_visible()
    expect(heading(page, "It is with you.")).to_be_visible()
    expect(page.get_by_text("back to you")).to_be_visible()
    expect(page.get_by_role("link", name="My orders").last).to_be_hidden()
    for address in (f"{LIST}sales/", f"{LIST}?q={number}", "/admin/"):
        staff.goto(address)
        assert faults(staff) == []

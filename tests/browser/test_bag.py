"""The bag in a browser: what is unticked is not paid for, with JavaScript and without."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from checkout.orders.tax import included
from tests.browser.conftest import NewContext, screen
from tests.browser.shopping import (
    heading,
    hold,
    pay_at_the_bank,
    pay_button,
    type_buyer,
    units,
    untouched,
)
from tests.running import Shop

pytestmark = pytest.mark.browser


def total(page: Page) -> int:
    return int(re.sub(r"\D", "", page.locator(".receipt-total dd").inner_text()))


def paise(shown: Locator) -> int:
    return round(100 * float(re.sub(r"[^\d.]", "", shown.inner_text())))


def test_the_total_follows_what_is_ticked_and_only_that_is_ordered(
    new_context: NewContext, shop: Shop
) -> None:
    page = new_context(**screen("360-light")).new_page()
    shelf = untouched(shop)
    hold(page, shelf)
    other = untouched(shop)
    hold(page, other)
    page.get_by_role("link", name="Pay for all together").click()
    expect(heading(page, "Your bag")).to_be_visible()
    page.wait_for_load_state()
    both = total(page)
    tax = page.locator(".receipt-tax [data-sum]")
    tax.evaluate("it => { it.dataset.shipping = 9900 }")
    page.get_by_role("checkbox", name=shelf.product).uncheck()
    one = total(page)
    assert 0 < one < both
    assert paise(tax) == included(one * 100, 18) + included(9_900, 18)
    expect(pay_button(page)).to_contain_text(page.locator(".receipt-total dd").inner_text())
    type_buyer(page)
    # It is refreshed by its own events, as after a push.
    page.locator("#bag").dispatch_event("refresh")
    page.get_by_label("I collect it").check()
    expect(page.get_by_label("PIN code")).to_be_hidden()
    pay_button(page).click()
    pay_at_the_bank(page)
    expect(heading(page, "It is yours.")).to_be_visible()
    assert units(shop, other) == (other.units - 1, 0)
    assert units(shop, shelf) == (shelf.units, 1)


def test_without_javascript_what_is_ticked_is_ordered(new_context: NewContext, shop: Shop) -> None:
    page = new_context(**screen("768-dark"), java_script_enabled=False).new_page()
    shelf = untouched(shop)
    hold(page, shelf)
    other = untouched(shop)
    hold(page, other)
    page.goto("/bag/")
    page.get_by_role("checkbox", name=other.product).uncheck()
    type_buyer(page)
    page.get_by_role("button", name="Pay for what is ticked").click()
    pay_at_the_bank(page)
    expect(heading(page, "It is yours.")).to_be_visible()
    assert units(shop, shelf) == (shelf.units - 1, 0)
    assert units(shop, other) == (other.units, 1)

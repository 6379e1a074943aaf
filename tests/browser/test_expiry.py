"""A hold that is not paid for ends by itself, with worker and beat running."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Complaints, NewContext
from tests.browser.shopping import heading, hold, pay_button, rare, units, untouched
from tests.browser.test_live import visit
from tests.running import Shop, wait_for

pytestmark = pytest.mark.browser


@pytest.fixture
def hasty_page(new_context: NewContext, hasty_shop: Shop) -> Page:
    return new_context(base_url=hasty_shop.url).new_page()


def test_an_open_page_shows_the_expiry_and_the_stock_comes_back(
    hasty_page: Page, hasty_shop: Shop
) -> None:
    shelf = untouched(hasty_shop)
    hold(hasty_page, shelf, 2)
    expect(heading(hasty_page, "The time ran out.")).to_be_visible(timeout=6_000)
    expect(hasty_page).to_have_title(f"Ran out: {shelf.product} – Allo")
    assert units(hasty_shop, shelf) == (shelf.units, 0)
    expect(hasty_page.get_by_role("link", name=re.compile("held"))).to_be_hidden()
    hasty_page.goto(shelf.address)
    expect(hasty_page.get_by_role("region", name="Price and stock")).to_contain_text(
        f"{shelf.units} left"
    )


def test_a_time_that_all_see_makes_no_page_ask(
    hasty_page: Page, new_context: NewContext, hasty_shop: Shop
) -> None:
    shelf = rare(hasty_shop)
    looking = new_context(base_url=hasty_shop.url).new_page()
    visit(looking, shelf.address)
    asked: list[str] = []
    looking.on("request", lambda request: asked.append(request.url))
    hold(hasty_page, shelf)
    words = looking.get_by_role("region", name="Price and stock").locator("[data-stock]")
    expect(words).to_contain_text("next may free up in")
    expect(words).to_contain_text("1 of ", timeout=6_000)
    # The script itself is loaded when it is first needed.
    assert [url for url in asked if "/static/js/stock." not in url] == []


def test_the_sweep_frees_a_hold_without_any_open_page(hasty_page: Page, hasty_shop: Shop) -> None:
    shelf = untouched(hasty_shop)
    hold(hasty_page, shelf)
    hasty_page.close()
    assert units(hasty_shop, shelf) == (shelf.units, 1)
    assert wait_for(lambda: units(hasty_shop, shelf) == (shelf.units, 0), seconds=6) > 1


def test_the_typed_contact_is_kept_for_the_next_reservation(
    hasty_page: Page, hasty_shop: Shop
) -> None:
    shelf = untouched(hasty_shop)
    hold(hasty_page, shelf)
    hasty_page.get_by_label("Name").fill("Asha Rao")
    hasty_page.get_by_label("Name").press("Tab")
    expect(heading(hasty_page, "The time ran out.")).to_be_visible(timeout=6_000)
    hasty_page.get_by_role("button", name="Reserve 1 again").click()
    expect(heading(hasty_page, f"{shelf.product} is held for you")).to_be_visible()
    expect(hasty_page.get_by_label("Name")).to_have_value("Asha Rao")


def test_confirming_too_late_sells_nothing(
    new_context: NewContext, hasty_shop: Shop, complaints: Complaints
) -> None:
    complaints.expect("status of 410")
    page = new_context(base_url=hasty_shop.url, java_script_enabled=False).new_page()
    shelf = untouched(hasty_shop)
    hold(page, shelf)
    page.get_by_label("Name").fill("Asha Rao")
    page.get_by_label("E-mail").fill("asha@example.org")
    wait_for(lambda: units(hasty_shop, shelf) == (shelf.units, 0), seconds=6)
    pay_button(page).click()
    expect(heading(page, "The time ran out.")).to_be_visible()
    assert units(hasty_shop, shelf) == (shelf.units, 0)

"""Everything works with forms, links and redirects alone."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Complaints, NewContext, screen
from tests.browser.shopping import (
    choose,
    confirm,
    heading,
    hold,
    lose_the_race,
    open_reserve,
    pay_button,
    unfold,
    units,
    untouched,
)
from tests.running import Shop

pytestmark = pytest.mark.browser


@pytest.fixture(params=["360-light", "768-dark", "1440-light"])
def page(request: pytest.FixtureRequest, new_context: NewContext) -> Page:
    return new_context(**screen(request.param), java_script_enabled=False).new_page()


def test_reserving_and_paying_works_without_javascript(page: Page, shop: Shop) -> None:
    shelf = untouched(shop)
    hold(page, shelf, 2)
    expect(page.get_by_role("timer")).to_have_text(re.compile(r"^\s*\d\d:\d\d\s*$"))
    page.wait_for_load_state()
    word = page.get_by_role("timer").evaluate("it => getComputedStyle(it, '::before').content")
    assert word == '"until"'
    expect(page.get_by_role("link", name=re.compile("1 held, until"))).to_be_visible()
    confirm(page)
    expect(heading(page, "It is yours.")).to_be_visible()
    page.reload()
    expect(heading(page, "It is yours.")).to_be_visible()
    assert units(shop, shelf) == (shelf.units - 2, 0)


def test_a_first_visitors_double_click_is_one_hold(page: Page, shop: Shop) -> None:
    shelf = untouched(shop)
    form = open_reserve(page, shelf)
    choose(form, shelf, 1)
    form.get_by_role("button", name="Reserve", exact=True).dblclick()
    expect(heading(page, f"{shelf.product} is held for you")).to_be_visible()
    assert units(shop, shelf) == (shelf.units, 1)


def test_cancelling_asks_on_a_page_of_its_own(page: Page, shop: Shop) -> None:
    shelf = untouched(shop)
    checkout = hold(page, shelf)
    page.get_by_role("link", name="Cancel the reservation").click()
    expect(heading(page, f"Let {shelf.product} go?")).to_be_visible()
    page.get_by_role("link", name="Keep it").click()
    expect(page).to_have_url(checkout)
    page.get_by_role("link", name="Cancel the reservation").click()
    page.get_by_role("button", name="Cancel the reservation").click()
    expect(heading(page, "Back on the shelf.")).to_be_visible()
    assert units(shop, shelf) == (shelf.units, 0)


def test_after_losing_the_race_the_page_offers_what_is_left(
    page: Page, new_context: NewContext, shop: Shop, complaints: Complaints
) -> None:
    complaints.expect("status of 409")
    shelf = untouched(shop)
    lose_the_race(page, new_context().new_page(), shelf, left=1)
    page.get_by_role("button", name="Take 1").click()
    expect(heading(page, f"{shelf.product} is held for you")).to_be_visible()


def test_mistakes_are_shown_and_the_input_is_kept(
    page: Page, shop: Shop, complaints: Complaints
) -> None:
    complaints.expect("status of 422")
    hold(page, untouched(shop))
    page.get_by_label("Name", exact=True).fill("Asha Rao")
    pay_button(page).click()
    expect(page.get_by_role("alert")).to_contain_text("Fill this in.")
    expect(page.get_by_label("Name", exact=True)).to_have_value("Asha Rao")


def test_more_time(page: Page, shop: Shop) -> None:
    hold(page, untouched(shop))
    page.get_by_role("button", name="More time").click()
    expect(page.get_by_text("1 extension left")).to_be_visible()


def test_load_more_leads_to_the_longer_list_at_the_first_new_card(page: Page) -> None:
    page.goto("/")
    expect(page.get_by_role("article")).to_have_count(21)
    page.get_by_role("link", name="Load more").click()
    expect(page.get_by_role("article")).to_have_count(42)
    expect(page).to_have_url(re.compile(r"/\?page=2&after=\d+~\d+#page-2$"))
    expect(page.locator("#page-2")).to_be_in_viewport()


def test_filters(page: Page) -> None:
    page.goto("/")
    page.get_by_role("searchbox", name="Search the shop").fill("vase")
    page.get_by_role("radio", name="Vases").check()
    unfold(page)
    page.get_by_role("checkbox", name="In stock only").check()
    page.get_by_label("Sort by").select_option("Price, low to high")
    page.get_by_role("button", name="Material").click()
    # By keys: Playwright may scroll, and click before what unfolded has followed its button.
    for material in ("Ceramic and stoneware", "Glass"):
        page.get_by_role("checkbox", name=material).press("Space")
    page.get_by_role("group", name="Material").get_by_role("button", name="Show").press("Enter")
    expect(page).to_have_url(
        re.compile(
            "q=vase&category=vases&in_stock=1&price=&material=ceramic&material=glass&sort=price"
        )
    )
    unfold(page)
    expect(
        page.get_by_role("button", name="Material: Ceramic and stoneware, Glass")
    ).to_be_visible()
    expect(heading(page, "“vase”")).to_be_visible()
    expect(page.get_by_role("radio", name="Vases")).to_be_checked()

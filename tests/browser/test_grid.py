"""The grid: "Load more" and filters work in place, and the address follows."""

import re

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Complaints, NewContext, screen
from tests.browser.shopping import heading, unfold
from tests.running import Shop

pytestmark = pytest.mark.browser


@pytest.fixture(params=["360-dark", "768-light", "1440-dark"])
def page(request: pytest.FixtureRequest, new_context: NewContext) -> Page:
    return new_context(**screen(request.param, motion="360" in request.param)).new_page()


def names(page: Page) -> list[str]:
    return page.get_by_role("article").get_by_role("heading").all_inner_texts()


def test_load_more_appends_and_moves_focus_and_address_along(page: Page) -> None:
    page.goto("/")
    first = names(page)
    page.get_by_role("link", name="Load more").click()
    expect(page.get_by_role("article")).to_have_count(42)
    assert names(page)[:21] == first
    assert len(set(names(page))) == 42
    expect(page.get_by_role("article").nth(21).get_by_role("link")).to_be_focused()
    expect(page).to_have_url(re.compile(r"/\?page=2&after=\d+~\d+$"))
    expect(page.get_by_role("status")).to_have_text("21 more, 42 shown")


def test_load_more_ends_with_the_last_product(page: Page) -> None:
    page.goto("/")
    for shown in (42, 63, 84, 105, 106):
        page.get_by_role("link", name="Load more").click()
        expect(page.get_by_role("article")).to_have_count(shown)
    expect(page.get_by_role("link", name="Load more")).to_be_hidden()


def test_load_more_announces_when_nothing_is_left(shop: Shop, new_context: NewContext) -> None:
    page = new_context().new_page()
    page.goto("/")
    gone = "SET published_at = {} WHERE position >= 21"
    shop.sql(f"UPDATE catalog_product {gone.format('NULL')}")
    try:
        page.get_by_role("link", name="Load more").click()
        expect(page.get_by_text("That is all there is.")).to_be_focused()
        expect(page.get_by_role("status")).to_have_text("That is all, 21 shown")
        page.reload()
        expect(page.get_by_role("article")).to_have_count(21)
        expect(page.get_by_text("That is all there is.")).to_be_visible()
    finally:
        shop.sql(f"UPDATE catalog_product {gone.format('created_at')}")


def test_load_more_reports_a_lost_connection_and_goes_on_by_itself(
    new_context: NewContext, complaints: Complaints
) -> None:
    complaints.expect("ERR_INTERNET_DISCONNECTED|htmx:(sendError|afterRequest)")
    page = new_context().new_page()
    page.goto("/")
    page.context.set_offline(True)
    page.get_by_role("link", name="Load more").click()
    expect(page.locator(".lost")).to_contain_text("The shop cannot be reached right now.")
    expect(page.get_by_role("article")).to_have_count(21)
    page.context.set_offline(False)
    expect(page.get_by_role("article")).to_have_count(42)
    expect(page.locator(".lost")).to_be_empty()


def test_a_filter_that_was_not_sent_is_sent_by_itself(
    new_context: NewContext, complaints: Complaints
) -> None:
    complaints.expect("ERR_INTERNET_DISCONNECTED|htmx:(sendError|afterRequest)")
    page = new_context().new_page()
    page.goto("/")
    search = page.get_by_role("searchbox")
    page.context.set_offline(True)
    search.fill("vase")
    expect(page.locator(".lost")).to_contain_text("The shop cannot be reached right now.")
    page.context.set_offline(False)
    expect(page).to_have_url(re.compile(r"/\?q=vase$"))


def test_a_misspelt_search_shows_the_intended_results(page: Page) -> None:
    page.goto("/?q=vaze")
    found = names(page)
    assert found != []
    page.get_by_role("link", name="vase", exact=True).click()
    expect(page).to_have_url(re.compile(r"/\?q=vase$"))
    assert names(page) == found


def test_back_from_a_product_shows_the_extended_list(page: Page) -> None:
    page.goto("/")
    page.get_by_role("link", name="Load more").click()
    expect(page.get_by_role("article")).to_have_count(42)
    shown = names(page)
    page.get_by_role("article").nth(30).get_by_role("link").click()
    expect(page).to_have_url(re.compile("/p/"))
    page.go_back()
    expect(page.get_by_role("article")).to_have_count(42)
    assert names(page) == shown


def test_back_and_forward_after_a_swap_restore_each_list(page: Page) -> None:
    page.goto("/")
    everything = names(page)
    page.get_by_role("radio", name="Clocks").check()
    expect(page).to_have_url(re.compile(r"/\?category=clocks$"))
    expect(page.get_by_role("article")).not_to_have_count(21)
    clocks = names(page)
    page.go_back()
    expect(page.get_by_role("article")).to_have_count(21)
    assert names(page) == everything
    page.go_forward()
    expect(page.get_by_role("article")).to_have_count(len(clocks))
    assert names(page) == clocks


def test_title_heading_and_order_are_those_of_the_list_that_a_filter_or_a_search_brings(
    page: Page,
) -> None:
    page.goto("/?category=clocks")
    unfold(page)
    page.get_by_role("radio", name="Vases").check()
    expect(heading(page, "Vases")).to_be_visible()
    expect(page).to_have_title("Vases – Allo")
    order = page.get_by_label("Sort by").get_by_role("option").first
    expect(order).to_have_text("Featured")
    page.get_by_role("searchbox").first.fill("brass")
    expect(heading(page, "“brass”")).to_be_visible()
    expect(page).to_have_title("“brass” – Vases – Allo")
    expect(order).to_have_text("Best match")


def test_filters_combine_in_an_address_that_can_be_shared(page: Page) -> None:
    page.goto("/")
    page.get_by_role("searchbox", name="Search the shop").fill("stoneware")
    expect(page).to_have_url(re.compile(r"/\?q=stoneware$"))
    unfold(page)
    page.get_by_role("checkbox", name="In stock only").check()
    expect(page).to_have_url(re.compile("in_stock=1"))
    page.get_by_label("Sort by").select_option("Price, high to low")
    expect(page).to_have_url(re.compile("sort=-price"))
    # The choices follow the results, which came without them.
    page.get_by_role("button", name="Material").click()
    material = page.get_by_role("group", name="Material")
    expect(material.get_by_text("Leather")).to_be_hidden()
    material.get_by_role("checkbox", name="Ceramic and stoneware 15").check()
    material.get_by_role("checkbox", name="Brass and copper").check()
    expect(page).to_have_url(re.compile("material=brass&material=ceramic&"))
    page.keyboard.press("Escape")
    expect(material).to_be_hidden()
    opener = page.get_by_role("button", name="Material: Ceramic and stoneware, Brass and copper")
    expect(opener).to_be_focused()
    found = names(page)
    expect(page.get_by_role("radio", name="Clocks 0")).to_be_disabled()
    expect(page.get_by_role("radio", name="Everything 15")).to_be_checked()
    elsewhere = page.context.new_page()
    elsewhere.goto(page.url)
    assert names(elsewhere) == found
    expect(elsewhere.get_by_role("searchbox", name="Search the shop")).to_have_value("stoneware")
    unfold(elsewhere)
    expect(elsewhere.get_by_role("checkbox", name="In stock only")).to_be_checked()
    both = "Material: Ceramic and stoneware, Brass and copper"
    expect(elsewhere.get_by_role("button", name=both)).to_be_visible()


def test_results_that_are_awaited_are_dimmed(new_context: NewContext) -> None:
    page = new_context().new_page()
    page.goto("/")
    held: list[Route] = []
    # Playwright accepts only functions written in Python.
    page.route("**/?colour=*", lambda route: held.append(route))  # noqa: PLW0108
    page.get_by_role("button", name="Colour").click()
    with page.expect_request("**/?colour=*"):
        page.get_by_role("checkbox", name="Blue").press("Space")
    expect(page.locator("#results")).to_have_css("opacity", "0.5")
    held[0].continue_()
    expect(page).to_have_url(re.compile("colour=blue"))
    expect(page.locator("#results")).to_have_css("opacity", "1")


def test_suggestions_are_walked_through_by_keys(new_context: NewContext) -> None:
    page = new_context().new_page()
    page.goto("/p/tidal/")
    search = page.get_by_role("searchbox")
    suggested = page.get_by_role("group", name="Suggestions").get_by_role("link")
    with page.expect_response(re.compile(r"\?q=ta$")):
        search.press_sequentially("ta")
    expect(suggested.first).to_have_text(re.compile("Table lamps"))
    expect(page.get_by_role("status").first).to_have_text("5 suggestions")
    for key, focused in {"ArrowDown": suggested.first, "ArrowUp": search}.items():
        page.keyboard.press(key)
        expect(focused).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(suggested.last).to_be_focused()
    page.keyboard.press("Escape")
    expect(suggested).to_have_count(0)
    expect(search).to_be_focused()
    expect(search).to_have_value("ta")
    search.press_sequentially("per")
    expect(suggested).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/\?q=taper$"))
    expect(suggested).to_have_count(0)
    # What is typed before the scripts are there waits for the next letter.
    page.wait_for_load_state()
    search.fill("taper ring")
    expect(suggested).to_have_count(1)
    page.keyboard.press("Enter")
    expect(suggested).to_have_count(0)
    expect(page).to_have_url(re.compile(r"/\?q=taper\+ring$"))


def test_an_empty_result_says_so_and_links_to_everything(page: Page) -> None:
    page.goto("/?q=zzz")
    expect(page.get_by_text("Nothing found")).to_be_visible()
    page.get_by_role("link", name="Show everything").click()
    expect(page.get_by_role("article")).to_have_count(21)


def test_a_card_leads_to_its_product(page: Page) -> None:
    page.goto("/")
    name = names(page)[0]
    page.get_by_role("link", name=name, exact=True).click()
    expect(heading(page, name)).to_be_visible()

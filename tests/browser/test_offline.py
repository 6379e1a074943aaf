"""A lost network keeps the page, says so, and sends what was pressed once it is back: nothing is
lost or done twice."""

import re

import pytest
from playwright.sync_api import Locator, Page, Response, Route, expect

from tests.browser.conftest import Complaints, NewContext, screen
from tests.browser.shopping import (
    choose,
    heading,
    hold,
    open_reserve,
    pay_at_the_bank,
    pay_button,
    type_buyer,
    units,
    untouched,
)
from tests.browser.test_opening import set_opening
from tests.browser.test_stock_words import NUMBERS, STREAM
from tests.running import Shop

pytestmark = pytest.mark.browser

WORDS = "The shop cannot be reached right now. Nothing is lost"


@pytest.fixture
def page(new_context: NewContext, complaints: Complaints) -> Page:
    complaints.expect("ERR_INTERNET_DISCONNECTED|ERR_FAILED|htmx:(sendError|afterRequest)")
    return new_context(**screen("360-light")).new_page()


# Until the answer to the part's request is there, or lost.
REFRESHED = """
(part) => new Promise((over) => {
    part.addEventListener("htmx:afterRequest", over, { once: true });
    part.dispatchEvent(new Event("refresh"));
})
"""


def notice(page: Page) -> Locator:
    return page.get_by_role("status").filter(has_text=WORDS)


def test_what_is_pressed_without_a_network_is_kept_and_done_once_with_one(
    page: Page, shop: Shop
) -> None:
    shelf = untouched(shop)
    form = open_reserve(page, shelf)
    choose(form, shelf, 2)
    reserve = form.get_by_role("button", name="Reserve", exact=True)
    page.context.set_offline(True)
    reserve.click()
    expect(page.get_by_role("dialog").locator(".lost")).to_contain_text(WORDS)
    expect(reserve).to_be_focused()
    expect(form.get_by_label("How many")).to_have_value("2")
    page.context.set_offline(False)
    expect(heading(page, f"{shelf.product} is held for you")).to_be_visible()
    assert units(shop, shelf) == (shelf.units, 2)

    page.wait_for_load_state()
    page.context.set_offline(True)
    type_buyer(page)
    pay_button(page).click()
    expect(notice(page)).to_be_visible()
    page.get_by_role("button", name="More time").click()
    expect(page.get_by_role("button", name="More time")).to_be_enabled()
    expect(page.get_by_label("Name", exact=True)).to_have_value("Asha Rao")
    for part in ("#also", "#holds"):
        page.locator(part).evaluate(REFRESHED)
    page.evaluate("document.activeElement.blur()")
    page.evaluate("dispatchEvent(new Event('offline'))")
    assert page.evaluate("document.activeElement === document.body"), "nobody pressed anything"
    with page.expect_response(is_kept):
        page.context.set_offline(False)
    expect(page.get_by_text("1 extension left")).to_be_visible()
    expect(notice(page)).to_be_hidden()
    pay_button(page).click()
    pay_at_the_bank(page)
    expect(heading(page, "It is yours.")).to_be_visible()
    assert units(shop, shelf) == (shelf.units - 2, 0)


def is_kept(response: Response) -> bool:
    """What was typed at the checkout."""
    return response.url.endswith("/contact/") and response.ok


def test_what_is_typed_without_a_network_is_kept_once_there_is_one(page: Page, shop: Shop) -> None:
    hold(page, untouched(shop))
    page.context.set_offline(True)
    page.get_by_label("Name", exact=True).fill("Asha Rao")
    page.get_by_label("E-mail").focus()
    expect(notice(page)).to_be_visible()
    page.locator("#also").evaluate(REFRESHED)
    with page.expect_response(is_kept):
        page.context.set_offline(False)
    expect(notice(page)).to_be_hidden()


def test_what_was_done_without_an_answer_is_not_done_again(page: Page, shop: Shop) -> None:
    shelf = untouched(shop)
    form = open_reserve(page, shelf)
    choose(form, shelf, 1)

    def lose_the_answer(route: Route) -> None:
        route.fetch()
        route.abort()

    # The second try, after a second, waits until the notice was seen.
    tries: list[Route] = []
    # Playwright accepts only functions written in Python.
    page.route("**/reserve/", lambda route: tries.append(route))  # noqa: PLW0108
    page.route("**/reserve/", lose_the_answer, times=1)
    form.get_by_role("button", name="Reserve", exact=True).click()
    expect(notice(page)).to_be_visible()
    assert units(shop, shelf) == (shelf.units, 1)
    page.unroute_all()
    for route in tries:
        route.continue_()
    expect(heading(page, f"{shelf.product} is held for you")).to_be_visible()
    assert units(shop, shelf) == (shelf.units, 1)


def test_a_dialog_that_cannot_be_filled_waits_and_closing_it_takes_that_back(
    page: Page, shop: Shop
) -> None:
    shelf = untouched(shop)
    page.goto(shelf.address)
    link = page.get_by_role("link", name="Reserve", exact=True)
    page.context.set_offline(True)
    link.click()
    expect(page.get_by_role("dialog").locator(".lost")).to_contain_text(WORDS)
    page.context.set_offline(False)
    expect(page.locator("#reserve-form")).to_be_visible()

    page.keyboard.press("Escape")
    # What is in the other dialog has the same names.
    page.locator("#join-link").evaluate("it => it.click()")
    expect(page.locator("#join-form")).to_be_visible()
    expect(page.locator("[id=id_quantity]")).to_have_count(1)

    page.keyboard.press("Escape")
    page.context.set_offline(True)
    link.click()
    expect(page.get_by_role("dialog").locator(".lost")).to_contain_text(WORDS)
    expect(page.get_by_role("dialog").get_by_text("Counting what is left…")).to_be_visible()
    page.keyboard.press("Escape")
    expect(link).to_be_focused()
    page.context.set_offline(False)
    expect(notice(page)).to_be_hidden()
    expect(page.get_by_role("dialog")).to_be_hidden()


def test_a_form_that_the_browser_sends_waits_for_the_network_too(page: Page, shop: Shop) -> None:
    shelf = untouched(shop)
    first = hold(page, shelf)
    page.get_by_role("link", name="Cancel the reservation").click()
    page.get_by_role("dialog").get_by_role("button").click()
    again = page.get_by_role("button", name="Reserve 1 again")
    expect(again).to_be_visible()
    page.wait_for_load_state()
    # As "I do not want it" of a waiting list: its form confirms the place.
    again.evaluate("it => { it.formAction = it.form.action; it.form.action = '/elsewhere/'; }")
    page.context.set_offline(True)
    again.click()
    expect(notice(page)).to_be_visible()
    expect(page).to_have_url(first)
    page.context.set_offline(False)
    expect(heading(page, f"{shelf.product} is held for you")).to_be_visible()
    expect(page).not_to_have_url(re.compile(first))
    assert units(shop, shelf) == (shelf.units, 1)


def test_a_link_is_followed_once_the_network_is_back(page: Page) -> None:
    page.goto("/docs/design/")
    page.context.set_offline(True)
    expect(notice(page)).to_be_visible()
    page.get_by_role("link", name="Allo, the shop").click()
    expect(page).to_have_url(re.compile("/docs/design/$"))
    page.context.set_offline(False)
    expect(heading(page, "Few of each. Held for you.")).to_be_visible()


def lose_script(page: Page, name: str) -> None:
    page.route(f"**/static/js/{name}.*.js", lambda route: route.abort())


def come_back(page: Page) -> None:
    """The browser says so to the page."""
    page.unroute_all()
    page.context.set_offline(True)
    page.context.set_offline(False)


def test_stock_goes_on_when_its_script_was_lost_with_the_network(page: Page, shop: Shop) -> None:
    shelf = untouched(shop)
    page.add_init_script(STREAM)
    lose_script(page, "stock")
    page.goto(shelf.address)
    [(line,), *_] = shop.sql(NUMBERS.format(slug=shelf.slug))
    row = line.split()
    row[3:] = [str(int(row[3]) + 1), str(shelf.units + 77), "0"]
    with page.expect_event("requestfailed"):
        page.evaluate("line => streams[0].onmessage({ data: line })", " ".join(row))
    come_back(page)
    expect(page.locator("#reserve-panel")).to_contain_text(f"{shelf.units + 77}")


def test_an_opening_turns_when_its_scripts_were_lost_with_the_network(
    page: Page, shop: Shop
) -> None:
    shelf = untouched(shop)
    grid = page.context.new_page()
    reserve = page.get_by_role("link", name="Reserve", exact=True)
    for one, address in ((grid, f"/?q={shelf.product}"), (page, shelf.address)):
        one.clock.install()
        one.add_init_script(STREAM)
        if one is page:
            product = set_opening(shop, shelf.slug, 60)
            lose_script(page, "stock")
        one.goto(address)
    # The card of the grid is from before there was an opening.
    lose_script(grid, "opening")
    with grid.expect_event("requestfailed"):
        grid.evaluate("line => streams[0].onmessage({ data: line })", f"0 product:{product} page")
        grid.clock.fast_forward(3000)
    come_back(grid)
    expect(grid.locator(f"time[data-opens='{product}']")).to_contain_text("in 0:")

    with page.expect_event("requestfailed"):
        page.clock.fast_forward(61_000)
    expect(reserve).to_be_hidden()
    come_back(page)
    expect(reserve).to_be_visible()

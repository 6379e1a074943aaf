"""While the shop cannot answer, a page stays as it is. What was pressed is sent again by itself."""

import re

import pytest
from playwright.sync_api import Page, Route, expect

from allo.web.parts import BUSY, PART_STAYS
from tests.browser.conftest import Complaints, NewContext, screen
from tests.browser.shopping import choose, heading, hold, open_reserve, units, untouched
from tests.browser.test_offline import REFRESHED, WORDS, notice
from tests.browser.test_stock_words import STREAM
from tests.running import Shop

pytestmark = pytest.mark.browser


@pytest.fixture
def page(new_context: NewContext, complaints: Complaints) -> Page:
    complaints.expect("status of 50[23]")
    return new_context(**screen("360-light")).new_page()


TRIGGERED = """
(of) => {
    window.triggered = new Promise((over) =>
        document.querySelector(of).addEventListener("htmx:trigger", over, { once: true })
    ).then(() => true);
}
"""
# As the shop does while its database is away, or too many wait for a page; and as nginx does while
# the shop starts.
Answer = tuple[int, dict[str, str]]
BUSY_PAGE: Answer = (BUSY, PART_STAYS)
BAD_GATEWAY: Answer = (502, {})
each_answer = pytest.mark.parametrize(
    "answer", [BUSY_PAGE, BAD_GATEWAY], ids=["busy", "bad gateway"]
)


def answer_busy(page: Page, address: str | re.Pattern[str], answer: Answer = BUSY_PAGE) -> None:
    status, headers = answer
    page.route(
        address,
        lambda route: route.fulfill(
            status=status,
            headers={"Content-Type": "text/html", **headers},
            body="<title>Busy – Allo</title><h1>Very busy right now.</h1>",
        ),
    )


@each_answer
def test_what_the_shop_cannot_answer_is_sent_again_by_itself(
    page: Page, shop: Shop, answer: Answer
) -> None:
    shelf = untouched(shop)
    page.goto(shelf.address)
    title = page.title()
    lost = page.get_by_role("dialog").locator(".lost")
    answer_busy(page, "**/reserve/", answer)
    page.get_by_role("link", name="Reserve", exact=True).click()
    expect(lost).to_contain_text(WORDS)
    page.unroute_all()
    form = page.locator("#reserve-form")
    expect(form).to_be_visible()
    expect(lost).to_be_empty()
    choose(form, shelf, 1)
    answer_busy(page, "**/reserve/", answer)
    form.get_by_role("button", name="Reserve", exact=True).click()
    expect(lost).to_contain_text(WORDS)
    assert page.title() == title
    page.unroute_all()
    expect(heading(page, f"{shelf.product} is held for you")).to_be_visible()
    assert units(shop, shelf) == (shelf.units, 1)


def test_a_part_that_nobody_pressed_stays_as_it_is_while_the_shop_is_busy(page: Page) -> None:
    page.goto("/p/tidal/")
    title = page.title()
    for part in ("#reserve-panel", "#holds"):
        before = page.locator(part).inner_text()
        answer_busy(page, re.compile("/(stock|holds)/$"))
        page.locator(part).evaluate(REFRESHED)
        assert page.locator(part).inner_text() == before
    assert page.title() == title
    expect(notice(page)).to_be_hidden()


@each_answer
def test_a_part_that_the_shop_could_not_answer_is_soon_asked_for_again(
    page: Page, shop: Shop, answer: Answer
) -> None:
    # With a stream a page polls every ten minutes.
    page.add_init_script(STREAM)
    hold(page, untouched(shop))
    answer_busy(page, "**/holds/", answer)
    page.locator("#holds").evaluate(REFRESHED)
    page.unroute_all()
    with page.expect_response("**/holds/") as again:
        pass
    assert again.value.ok


def test_a_list_that_the_shop_cannot_answer_is_asked_for_again(page: Page) -> None:
    page.goto("/")
    answer_busy(page, re.compile(r"/\?"))
    page.get_by_role("link", name="Load more").click()
    expect(notice(page)).to_be_visible()
    page.locator("#holds").evaluate(REFRESHED)
    expect(page.get_by_role("article")).to_have_count(21)
    page.unroute_all()
    expect(page.get_by_role("article")).to_have_count(42)
    expect(page.get_by_role("status").filter(has_text="21 more, 42 shown")).to_be_visible()
    answer_busy(page, re.compile(r"/\?"))
    page.get_by_role("searchbox").fill("vase")
    expect(notice(page)).to_be_visible()
    page.unroute_all()
    expect(page).to_have_url(re.compile(r"/\?q=vase$"))


def test_a_list_that_is_another_one_by_then_is_not_asked_for_again(page: Page) -> None:
    page.goto("/")
    answer_busy(page, re.compile("page=2"))
    page.get_by_role("link", name="Load more").click()
    expect(notice(page)).to_be_visible()
    left: list[str] = []
    page.on("framenavigated", lambda frame: left.append(frame.url))
    with page.expect_response("**/?q=vase"):
        page.get_by_role("searchbox").fill("vase")
    expect(notice(page)).to_be_hidden()
    page.locator("#holds").evaluate(REFRESHED)
    expect(page).to_have_url(re.compile(r"/\?q=vase$"))
    assert [url for url in left if "page=2" in url] == [], "nor was it the address of a list"


def test_a_filter_during_load_more_is_the_last_that_counts(page: Page) -> None:
    page.goto("/")
    waiting: list[Route] = []
    # Playwright accepts only functions written in Python.
    page.route(re.compile("page=2"), lambda route: waiting.append(route))  # noqa: PLW0108
    with page.expect_request(re.compile("page=2")):
        page.get_by_role("link", name="Load more").click()
    page.evaluate(TRIGGERED, "#filters")
    page.get_by_role("searchbox").fill("vase")
    page.evaluate("window.triggered")
    [more] = waiting
    more.fulfill(response=more.fetch())
    expect(page.get_by_role("status").filter(has_text="12 pieces")).to_be_attached()
    expect(page).to_have_url(re.compile(r"/\?q=vase$"))


def test_a_page_that_was_left_during_a_request_does_not_wait_for_its_answer(
    page: Page, shop: Shop
) -> None:
    form = open_reserve(page, untouched(shop))
    with page.expect_request("**/reserve/"):
        page.route("**/reserve/", lambda _: None)
        form.get_by_role("button", name="Reserve", exact=True).click()
    # As it comes back from the browser's cache of whole pages.
    with page.expect_navigation():
        page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
    page.unroute_all()
    page.get_by_role("link", name="Reserve", exact=True).click()
    expect(form.get_by_role("button", name="Reserve", exact=True)).to_be_enabled()

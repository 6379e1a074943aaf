"""A hold that is not paid for ends by itself, with worker and beat running."""

import re
from datetime import timedelta
from email.utils import format_datetime, parsedate_to_datetime

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Complaints, NewContext
from tests.browser.shopping import heading, hold, move_deadline, pay_button, rare, units, untouched
from tests.browser.test_live import visit
from tests.browser.test_offline import REFRESHED
from tests.running import Shop, wait_for

pytestmark = pytest.mark.browser

# By so many seconds a deadline is moved that is to be over.
OVER = -601
# A sweep comes every 10 s, if the machine is not slow.
SWEPT_MS = 60_000


def test_an_open_page_shows_the_expiry_and_the_stock_comes_back(page: Page, shop: Shop) -> None:
    shelf = untouched(shop)
    # It counts the last seconds, unless it took longer to load.
    move_deadline(shop, hold(page, shelf, 2), -597)
    page.reload()
    expect(heading(page, "The time ran out.")).to_be_visible()
    expect(page).to_have_title(f"Ran out: {shelf.product} – Allo")
    assert units(shop, shelf) == (shelf.units, 0)
    expect(page.get_by_role("link", name=re.compile("held"))).to_be_hidden()
    page.goto(shelf.address)
    expect(page.get_by_role("region", name="Price and stock")).to_contain_text(
        f"{shelf.units} left"
    )


def test_a_time_that_all_see_makes_no_page_ask(
    page: Page, new_context: NewContext, shop: Shop
) -> None:
    shelf = rare(shop)
    looking = new_context().new_page()
    looking.clock.install()
    visit(looking, shelf.address)
    asked: list[str] = []
    looking.on("request", lambda request: asked.append(request.url))
    checkout = hold(page, shelf)
    words = looking.get_by_role("region", name="Price and stock").locator("[data-stock]")
    expect(words).to_contain_text("next may free up in")
    looking.clock.fast_forward(-1000 * OVER)
    expect(words).to_contain_text("next may free up any moment now")
    move_deadline(shop, checkout, OVER)
    expect(words).to_contain_text("1 of ", timeout=SWEPT_MS)
    # The script itself is loaded when it is first needed.
    assert [url for url in asked if "/static/js/stock." not in url] == []


def test_an_answer_that_comes_late_does_not_set_the_clock_back(page: Page, shop: Shop) -> None:
    hold(page, untouched(shop))
    clock = page.get_by_role("timer", name="Time remaining")
    before = seconds_in(clock.inner_text())

    def late(route: Route) -> None:
        answer = route.fetch()
        sent = parsedate_to_datetime(answer.headers["date"]) - timedelta(seconds=20)
        headers = {**answer.headers, "date": format_datetime(sent, usegmt=True)}
        route.fulfill(response=answer, headers=headers)

    page.route("**/holds/", late)
    page.locator("#holds").evaluate(REFRESHED)
    page.evaluate("dispatchEvent(new Event('allo:times'))")
    assert seconds_in(clock.inner_text()) <= before


def seconds_in(clock: str) -> int:
    minutes, seconds = clock.split(":")
    return 60 * int(minutes) + int(seconds)


def test_the_sweep_frees_a_hold_without_any_open_page(page: Page, shop: Shop) -> None:
    shelf = untouched(shop)
    checkout = hold(page, shelf)
    page.close()
    assert units(shop, shelf) == (shelf.units, 1)
    move_deadline(shop, checkout, OVER)
    wait_for(lambda: units(shop, shelf) == (shelf.units, 0), seconds=SWEPT_MS / 1000)
    pk = checkout.rstrip("/").rpartition("/")[2]
    ended = shop.sql(f"SELECT status FROM reservations_reservation WHERE id = '{pk}'")
    assert ended == [("expired",)]


def test_the_typed_contact_is_kept_for_the_next_reservation(page: Page, shop: Shop) -> None:
    shelf = untouched(shop)
    checkout = hold(page, shelf)
    page.get_by_label("Name", exact=True).fill("Asha Rao")
    with page.expect_response("**/contact/"):
        page.get_by_label("Name", exact=True).press("Tab")
    move_deadline(shop, checkout, OVER)
    page.reload()
    expect(heading(page, "The time ran out.")).to_be_visible()
    page.get_by_role("button", name="Reserve 1 again").click()
    expect(heading(page, f"{shelf.product} is held for you")).to_be_visible()
    expect(page.get_by_label("Name", exact=True)).to_have_value("Asha Rao")


def test_confirming_too_late_sells_nothing(
    new_context: NewContext, shop: Shop, complaints: Complaints
) -> None:
    complaints.expect("status of 410")
    page = new_context(java_script_enabled=False).new_page()
    shelf = untouched(shop)
    checkout = hold(page, shelf)
    page.get_by_label("Name", exact=True).fill("Asha Rao")
    page.get_by_label("E-mail").fill("asha@example.org")
    move_deadline(shop, checkout, OVER)
    pay_button(page).click()
    expect(heading(page, "The time ran out.")).to_be_visible()
    assert units(shop, shelf) == (shelf.units, 0)

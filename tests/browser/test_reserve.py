"""Reserve, watch the clock, pay or let go: the shop as shoppers use it."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Complaints, NewContext, screen
from tests.browser.shopping import (
    COUNTDOWN,
    choose,
    confirm,
    heading,
    hold,
    lose_the_race,
    move_deadline,
    open_reserve,
    pay_at_the_bank,
    pay_button,
    type_buyer,
    units,
    untouched,
)
from tests.running import Shop

pytestmark = pytest.mark.browser


@pytest.fixture(params=["360-dark", "768-light", "1440-dark"])
def page(request: pytest.FixtureRequest, new_context: NewContext) -> Page:
    return new_context(**screen(request.param, motion="360" in request.param)).new_page()


def test_what_is_reserved_is_held_counted_down_and_sold(page: Page, shop: Shop) -> None:
    shelf = untouched(shop)
    hold(page, shelf, 2)
    assert units(shop, shelf) == (shelf.units, 2)

    clock = page.get_by_role("timer", name="Time remaining")
    expect(clock).to_have_text(COUNTDOWN)
    shown = clock.inner_text()
    assert shown.startswith(("9:", "10:00"))
    expect(clock).not_to_have_text(shown)
    expect(page.get_by_role("link", name=re.compile("1 held, 9:"))).to_be_visible()

    confirm(page)
    expect(heading(page, "It is yours.")).to_be_visible()
    expect(page.get_by_role("link", name=re.compile("1 held"))).to_be_hidden()
    assert units(shop, shelf) == (shelf.units - 2, 0)


def test_reserving_more_of_a_held_product_changes_it_in_every_tab(page: Page, shop: Shop) -> None:
    shelf = untouched(shop)
    checkout = hold(page, shelf)
    tab = page.context.new_page()
    tab.goto(shelf.address)
    expect(tab.get_by_role("link", name="Reserve", exact=True)).to_be_hidden()
    expect(tab.get_by_role("link", name=re.compile(r"^Go to checkout · \d+:\d\d$"))).to_be_visible()
    tab.get_by_role("link", name="Change quantity").click()
    form = tab.locator("#reserve-form")
    expect(form).to_contain_text(f"You hold 1 from {shelf.warehouse}.")
    expect(form.get_by_label("How many in all")).to_have_value("1")
    form.get_by_label("How many in all").fill("3")
    # As if it had been held at this price, and the present one were another.
    form.locator("[data-mine] input").evaluate("its => its.dataset.each = 12345600")
    form.get_by_label("How many in all").press("ArrowDown")
    expect(form.get_by_role("status")).to_have_text("₹\N{NO-BREAK SPACE}2,46,912")
    form.get_by_role("radio", name="Any warehouse").check()
    expect(form.get_by_role("status")).not_to_have_text("₹\N{NO-BREAK SPACE}2,46,912")
    form.get_by_role("radio", name=shelf.warehouse).check()
    form.get_by_label("How many in all").fill("3")
    form.get_by_role("button", name="Hold this many").click()
    tab.wait_for_url(checkout)
    assert units(shop, shelf) == (shelf.units, 3)
    expect(page.locator(".clock-words")).to_contain_text(f"3 from {shelf.warehouse}")
    confirm(page)
    expect(heading(tab, "It is yours.")).to_be_visible()
    assert units(shop, shelf) == (shelf.units - 3, 0)


def test_cancelling_asks_first_and_then_frees_it(page: Page, shop: Shop) -> None:
    shelf = untouched(shop)
    hold(page, shelf)
    page.get_by_role("link", name="Cancel the reservation").click()
    question = page.get_by_role("dialog", name=f"Let {shelf.product} go?")
    question.get_by_role("link", name="Keep it").click()
    expect(question).to_be_hidden()
    assert units(shop, shelf) == (shelf.units, 1)

    page.get_by_role("link", name="Cancel the reservation").click()
    question.get_by_role("button", name="Cancel the reservation").click()
    expect(heading(page, "Back on the shelf.")).to_be_visible()
    assert units(shop, shelf) == (shelf.units, 0)


def test_after_cancelling_one_click_reserves_it_again(page: Page, shop: Shop) -> None:
    shelf = untouched(shop)
    first = hold(page, shelf, 2)
    page.get_by_role("link", name="Cancel the reservation").click()
    page.get_by_role("dialog").get_by_role("button").click()
    page.get_by_role("button", name="Reserve 2 again").click()
    expect(heading(page, f"{shelf.product} is held for you")).to_be_visible()
    assert page.url != first
    assert units(shop, shelf) == (shelf.units, 2)


def test_after_losing_the_race_the_modal_offers_what_is_left(
    page: Page, new_context: NewContext, shop: Shop, complaints: Complaints
) -> None:
    complaints.expect("status of 409")
    shelf = untouched(shop)
    lose_the_race(page, new_context().new_page(), shelf, left=2)
    row = page.locator(".shelf", has_text=shelf.warehouse)
    expect(row).to_contain_text("2 left")
    page.get_by_role("dialog").get_by_role("button", name="Take 2").click()
    expect(heading(page, f"{shelf.product} is held for you")).to_be_visible()
    assert units(shop, shelf) == (shelf.units, shelf.units)


def test_a_double_click_is_one_hold(page: Page, shop: Shop) -> None:
    shelf = untouched(shop)
    form = open_reserve(page, shelf)
    choose(form, shelf, 1)
    form.get_by_role("button", name="Reserve", exact=True).dblclick()
    expect(heading(page, f"{shelf.product} is held for you")).to_be_visible()
    assert units(shop, shelf) == (shelf.units, 1)


def test_going_back_and_reserving_another_time_is_another_hold(page: Page, shop: Shop) -> None:
    shelf = untouched(shop)
    hold(page, shelf)
    page.get_by_role("link", name="Cancel the reservation").click()
    page.get_by_role("dialog").get_by_role("button").click()
    expect(heading(page, "Back on the shelf.")).to_be_visible()
    page.go_back()
    dialog = page.get_by_role("dialog")
    if not dialog.is_visible():
        page.get_by_role("link", name="Reserve", exact=True).click()
    dialog.get_by_role("button", name="Reserve", exact=True).click()
    expect(heading(page, f"{shelf.product} is held for you")).to_be_visible()


def test_a_mistake_is_shown_beside_its_field_and_the_input_is_kept(
    page: Page, shop: Shop, complaints: Complaints
) -> None:
    complaints.expect("status of 422")
    hold(page, untouched(shop))
    type_buyer(page, email="asha at example")
    pay_button(page).click()
    expect(page.get_by_role("alert")).to_be_focused()
    expect(page.get_by_label("Name", exact=True)).to_have_value("Asha Rao")
    email = page.get_by_label("E-mail")
    expect(email).to_have_value("asha at example")
    expect(email).to_have_accessible_description(
        "This is not an e-mail address, such as asha@example.org."
    )
    page.get_by_role("alert").get_by_role("link", name="This is not an e-mail").click()
    expect(email).to_be_focused()
    email.fill("asha@example.org")
    pay_button(page).click()
    pay_at_the_bank(page)
    expect(heading(page, "It is yours.")).to_be_visible()


def test_another_tab_shows_the_end(page: Page, shop: Shop) -> None:
    shelf = untouched(shop)
    checkout = hold(page, shelf)
    other = page.context.new_page()
    other.goto(checkout)
    confirm(other)
    expect(heading(other, "It is yours.")).to_be_visible()
    expect(heading(page, "It is yours.")).to_be_visible()


def press_while_replaced(page: Page, pressed: Locator, part: str) -> None:
    """The answer that would replace the part comes between press and release."""
    pressed.hover()
    page.mouse.down()
    page.evaluate(
        """(part) => new Promise((done) => {
            // Not of the form, which keeps what is typed.
            addEventListener("htmx:afterOnLoad", ({ detail: { requestConfig } }) =>
                requestConfig.elt.id === part && done());
            document.getElementById(part).dispatchEvent(new Event("refresh"));
        })""",
        part,
    )
    page.mouse.up()


def test_a_button_that_is_pressed_is_not_replaced(page: Page, shop: Shop) -> None:
    checkout = hold(page, untouched(shop))
    type_buyer(page)
    move_deadline(shop, checkout, -5)
    press_while_replaced(page, pay_button(page), "checkout-state")
    pay_at_the_bank(page)
    expect(heading(page, "It is yours.")).to_be_visible()


def test_a_link_that_is_pressed_is_not_replaced(page: Page, shop: Shop) -> None:
    shelf = untouched(shop)
    checkout = hold(page, shelf)
    page.goto(shelf.address)
    press_while_replaced(page, page.get_by_role("link", name="Go to checkout ·"), "mine")
    page.wait_for_url(checkout)


def test_more_time_starts_the_clock_again_and_keeps_what_was_typed(page: Page, shop: Shop) -> None:
    checkout = hold(page, untouched(shop))
    move_deadline(shop, checkout, -500)
    page.reload()
    clock = page.get_by_role("timer", name="Time remaining")
    expect(clock).to_have_text(re.compile(r"^\s*1:\d\d"))
    expect(page.get_by_text("Almost out of time.")).to_be_visible()
    page.get_by_label("Name", exact=True).fill("Asha Rao")
    page.get_by_role("button", name="More time").click()
    expect(clock).to_have_text(re.compile(r"^\s*(9|10):\d\d"))
    expect(page.get_by_text("1 extension left")).to_be_visible()
    expect(page.get_by_label("Name", exact=True)).to_have_value("Asha Rao")


def test_more_time_leaves_the_reasons_beside_what_was_wrong(
    page: Page, shop: Shop, complaints: Complaints
) -> None:
    complaints.expect("status of 422")
    hold(page, untouched(shop))
    type_buyer(page)
    page.get_by_label("PIN code").fill("12")
    pay_button(page).click()
    reason = page.locator(".field-error", has_text="A PIN code has six digits")
    expect(reason).to_be_visible()
    page.get_by_role("button", name="More time").click()
    expect(page.get_by_text("1 extension left")).to_be_visible()
    expect(reason).to_be_visible()
    expect(page.locator(".field-error:visible")).to_have_count(1)
    page.get_by_label("PIN code").fill("560001")
    pay_button(page).click()
    pay_at_the_bank(page)
    expect(heading(page, "It is yours.")).to_be_visible()


def test_the_button_does_not_move_from_under_a_press(new_context: NewContext, shop: Shop) -> None:
    """The focus scrolls at once, also for those who like motion."""
    page = new_context(**screen("360-light", motion=True)).new_page()
    hold(page, untouched(shop))
    page.evaluate("scrollTo({ top: 0, behavior: 'instant' })")
    assert page.evaluate("(document.getElementById('cancel-link').focus(), scrollY)") > 0


def test_a_question_that_a_refresh_takes_away_gives_the_focus_back(page: Page, shop: Shop) -> None:
    checkout = hold(page, untouched(shop))
    page.get_by_role("link", name="Cancel the reservation").press("Enter")
    expect(page.get_by_role("dialog").get_by_role("link", name="Keep it")).to_be_focused()
    other = page.context.new_page()
    other.goto(checkout)
    other.get_by_role("button", name="More time").click()
    expect(other.get_by_text("1 extension left")).to_be_visible()
    expect(page.get_by_text("1 extension left")).to_be_visible()
    expect(page.get_by_role("link", name="Cancel the reservation")).to_be_focused()


def test_another_visitors_checkout_is_404(
    page: Page, new_context: NewContext, shop: Shop, complaints: Complaints
) -> None:
    complaints.expect("status of 404")
    checkout = hold(page, untouched(shop))
    other = new_context().new_page()
    other.goto(checkout)
    expect(heading(other, "Not on this shelf.")).to_be_visible()


def test_my_reservations_lead_back_to_the_checkout(page: Page, shop: Shop) -> None:
    shelf = untouched(shop)
    checkout = hold(page, shelf)
    # A phone's header has no room for it beside what is held; the footer has one.
    page.get_by_role("link", name=re.compile("eservations$")).first.click()
    page.get_by_role("link", name=shelf.product, exact=True).click()
    expect(page).to_have_url(checkout)

"""The reserve modal: easy to leave, hard to lose one's place in."""

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Complaints, NewContext, screen
from tests.browser.shopping import Shelf, confirm, heading, open_reserve, pay_at_the_bank, untouched
from tests.running import Shop

pytestmark = pytest.mark.browser


@pytest.fixture(params=["360-light", "768-dark", "1440-light"])
def page(request: pytest.FixtureRequest, new_context: NewContext) -> Page:
    return new_context(**screen(request.param)).new_page()


@pytest.fixture
def shelf(shop: Shop) -> Shelf:
    return untouched(shop)


def dialog(page: Page, shelf: Shelf) -> Locator:
    return page.get_by_role("dialog", name=f"Reserve {shelf.product}")


def reserve_link(page: Page) -> Locator:
    return page.get_by_role("link", name="Reserve", exact=True)


def test_escape_closes_it_and_gives_the_focus_back(page: Page, shelf: Shelf) -> None:
    open_reserve(page, shelf)
    page.keyboard.press("Escape")
    expect(dialog(page, shelf)).to_be_hidden()
    expect(reserve_link(page)).to_be_focused()


def test_a_click_outside_closes_it_one_inside_does_not(page: Page, shelf: Shelf) -> None:
    open_reserve(page, shelf)
    dialog(page, shelf).get_by_text("How many").click()
    expect(dialog(page, shelf)).to_be_visible()
    page.mouse.click(5, 5)
    expect(dialog(page, shelf)).to_be_hidden()
    expect(reserve_link(page)).to_be_focused()


def test_the_focus_stays_inside(page: Page, shelf: Shelf) -> None:
    open_reserve(page, shelf)
    for _ in range(12):
        page.keyboard.press("Tab")
        assert page.evaluate(
            "document.activeElement === document.body"
            " || document.activeElement.closest('dialog') !== null"
        )


def test_a_warehouse_that_has_none_says_so_and_cannot_be_chosen(page: Page, shop: Shop) -> None:
    [(slug, name)] = shop.sql(
        "SELECT product.slug, warehouse.name FROM inventory_inventory AS row"
        " JOIN catalog_product AS product ON product.id = row.product_id"
        " JOIN inventory_warehouse AS warehouse ON warehouse.id = row.warehouse_id"
        " WHERE row.total_units = 0 AND EXISTS (SELECT 1 FROM inventory_inventory AS other"
        " WHERE other.product_id = product.id AND other.total_units > 3) LIMIT 1"
    )
    form = open_reserve(page, Shelf(slug, "", "", 0))
    expect(form.get_by_role("radio", name=f"{name} None here")).to_be_disabled()


def test_the_stepper_counts_up_and_down_to_one(page: Page, shelf: Shelf) -> None:
    form = open_reserve(page, shelf)
    quantity = form.get_by_label("How many")
    form.get_by_role("button", name="One more").click()
    expect(quantity).to_have_value("2")
    for _ in range(3):
        form.get_by_role("button", name="One fewer").click()
    expect(quantity).to_have_value("1")


def test_all_the_way_by_keyboard_alone(page: Page, shelf: Shelf) -> None:
    page.goto(shelf.address)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    tab_to(page, reserve_link(page))
    page.keyboard.press("Enter")
    reserve = dialog(page, shelf).get_by_role("button", name="Reserve", exact=True)
    expect(reserve).to_be_visible()
    tab_to(page, reserve)
    page.keyboard.press("Enter")
    expect(heading(page, f"{shelf.product} is held for you")).to_be_visible()
    page.wait_for_load_state()
    for label, text in (
        ("Name", "Asha Rao"), ("E-mail", "asha@example.org"), ("Telephone", "98450 12345"),
        ("Address", "12 MG Road"), ("Town or city", "Bengaluru"), ("State", "Karn"),
        ("PIN code", "560001"),
    ):  # fmt: skip
        tab_to(page, page.get_by_label(label))
        page.keyboard.type(text)
    page.keyboard.press("Enter")
    pay_at_the_bank(page)
    expect(heading(page, "It is yours.")).to_be_visible()


def test_if_the_form_cannot_be_loaded_its_page_is_opened(
    page: Page, shelf: Shelf, complaints: Complaints
) -> None:
    complaints.expect("Response Status Error Code 500|status of 500")
    page.goto(shelf.address)
    page.route("**/reserve/", lambda route: route.fulfill(status=500), times=1)
    reserve_link(page).click()
    expect(heading(page, f"Reserve {shelf.product}")).to_be_visible()
    page.get_by_role("button", name="Reserve", exact=True).click()
    expect(heading(page, f"{shelf.product} is held for you")).to_be_visible()
    confirm(page)
    expect(heading(page, "It is yours.")).to_be_visible()


def test_a_form_refused_with_403_shows_the_reason_on_a_page(
    page: Page, shelf: Shelf, complaints: Complaints
) -> None:
    complaints.expect("status of 403|Status Error Code 403")
    form = open_reserve(page, shelf)
    page.context.clear_cookies()
    form.get_by_role("button", name="Reserve", exact=True).click()
    expect(heading(page, "That page was too old.")).to_be_visible()


def tab_to(page: Page, target: Locator) -> None:
    for _ in range(40):
        if target.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"40 tabs did not lead to {target}")

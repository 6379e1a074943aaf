"""A product's pictures: seen one by one, and large."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.axe import faults
from tests.browser.conftest import NewContext, screen

pytestmark = pytest.mark.browser


def test_pictures_are_turned_and_shown_large_and_the_page_stays_where_it_is(
    new_context: NewContext,
) -> None:
    page = new_context(**screen("360-light")).new_page()
    page.goto("/p/tidal/")
    steps = page.evaluate("history.length")
    second = page.get_by_role("link", name="Picture 2 of 2")
    second.click()
    expect(second).to_have_attribute("aria-current", "true")
    in_sight(page, "#view-2")
    page.locator("#enlarge-2").click()
    zoom = page.get_by_role("dialog", name="Tidal, large")
    in_sight(page, ".zoom-view:nth-child(2)")
    picture = zoom.get_by_role("button", name="Enlarge: Tidal: seen closer")
    picture.click()
    expect(picture).to_have_attribute("aria-pressed", "true")
    assert picture.bounding_box()["width"] >= 1600  # type: ignore[index]
    assert faults(page) == []
    page.keyboard.press("Escape")
    expect(zoom).to_be_hidden()
    expect(page.locator("#enlarge-2")).to_be_focused()
    expect(page.locator(".zoom [aria-pressed=true]")).to_have_count(0)
    page.locator("#enlarge-2").press("Enter")
    zoom.get_by_role("button", name="Previous picture").click()
    in_sight(page, ".zoom-view:nth-child(1)")
    zoom.get_by_role("button", name="Close", exact=True).click()
    in_sight(page, "#view-1")
    assert page.evaluate("history.length") == steps


def in_sight(page: Page, selector: str) -> None:
    expect(page.locator(selector)).to_be_in_viewport(ratio=0.6)

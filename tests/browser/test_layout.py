"""At every width the pages fit, and nothing moves once it is there."""

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import NewContext
from tests.browser.shopping import hold, untouched
from tests.running import Shop

pytestmark = pytest.mark.browser

ADDRESSES = (
    "/",
    "/?q=vase",
    "/p/tidal/",
    "/p/tidal/reserve/",
    "/reservations/",
    "/docs/",
    "/docs/settings/",
)
SHIFTS = """
new Promise((resolve) => new PerformanceObserver((list) =>
    resolve(list.getEntries().filter((shift) => !shift.hadRecentInput).map((shift) => shift.value))
).observe({ type: "layout-shift", buffered: true }) || setTimeout(() => resolve([]), 200))
"""


@pytest.fixture
def motion() -> str:
    return "no-preference"


@pytest.fixture(params=[320, 768, 1440])
def page(request: pytest.FixtureRequest, new_context: NewContext) -> Page:
    return new_context(viewport={"width": request.param, "height": 800}).new_page()


def overflow(page: Page) -> int:
    wide: int = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    return max(wide, 0)


def test_no_page_has_to_be_scrolled_sideways(page: Page, shop: Shop) -> None:
    for address in ADDRESSES:
        page.goto(address)
        assert overflow(page) == 0, address
    hold(page, untouched(shop))
    assert overflow(page) == 0
    page.goto(page.url + "cancel/")
    assert overflow(page) == 0


def test_nothing_moves_while_a_page_loads(page: Page) -> None:
    for address in ADDRESSES:
        page.goto(address)
        page.wait_for_load_state("networkidle")
        assert sum(page.evaluate(SHIFTS)) == pytest.approx(0, abs=0.005), address

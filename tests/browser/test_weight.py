"""What a first visit costs: page, styles, scripts, fonts as they travel; own scripts unpacked."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, Request

from tests.running import Shop

pytestmark = pytest.mark.browser


@pytest.fixture
def motion() -> str:
    return "no-preference"


COUNTED = {"document", "stylesheet", "script", "font"}
OWN_SCRIPT = re.compile(r"/static/js/[\w-]+\.\w+\.js$")
OPENS = "UPDATE catalog_product SET opens_at = {at} WHERE slug = 'tidal'"


@pytest.fixture
def _opens_later(shop: Shop) -> Iterator[None]:
    """Then a page has the most scripts."""
    shop.sql(OPENS.format(at="now() + interval '3 days'"))
    yield
    shop.sql(OPENS.format(at="NULL"))


@pytest.mark.usefixtures("_opens_later")
@pytest.mark.parametrize("address", ["/", "/p/tidal/"])
def test_a_page_is_light_and_its_own_scripts_are_few(page: Page, address: str) -> None:
    finished: list[Request] = []
    # Playwright accepts only functions written in Python.
    page.on("requestfinished", lambda request: finished.append(request))  # noqa: PLW0108
    page.goto(address)
    page.wait_for_load_state("load")
    weights = {
        request.url: request.sizes()["responseBodySize"]
        for request in finished
        if request.resource_type in COUNTED
    }
    assert {request.resource_type for request in finished} >= COUNTED
    assert sum(weights.values()) <= 150_000, weights
    own = {
        request.url: len(request.response().body())  # type: ignore[union-attr]
        for request in finished
        if OWN_SCRIPT.search(request.url)
    }
    assert any("opening" in script for script in own)
    assert sum(own.values()) <= 25_000, own

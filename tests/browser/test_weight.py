"""What a first visit costs: page, styles, scripts and fonts, as they travel."""

from pathlib import Path

import pytest
from django.conf import settings
from playwright.sync_api import Page, Request

pytestmark = pytest.mark.browser

COUNTED = {"document", "stylesheet", "script", "font"}


def test_the_grid_is_light(page: Page) -> None:
    finished: list[Request] = []
    # Playwright takes functions written in Python alone.
    page.on("requestfinished", lambda request: finished.append(request))  # noqa: PLW0108
    page.goto("/")
    page.wait_for_load_state("networkidle")
    weights = {
        request.url: request.sizes()["responseBodySize"]
        for request in finished
        if request.resource_type in COUNTED
    }
    assert {request.resource_type for request in finished} >= COUNTED
    assert sum(weights.values()) <= 150_000, weights


def test_our_own_scripts_are_few() -> None:
    scripts = Path(settings.BASE_DIR, "static/js").glob("*.js")
    assert 0 < sum(script.stat().st_size for script in scripts) <= 20_000

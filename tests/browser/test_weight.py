"""What a first visit costs: page, styles, scripts and fonts, as they travel."""

import re
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


def test_our_own_scripts_on_the_grid_are_few(page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto("/")
    page.wait_for_load_state("load")
    names = {found[1] for url in asked if (found := re.search(r"/static/(js/[\w-]+)\.", url))}
    scripts = [Path(settings.BASE_DIR, "static", f"{name}.js") for name in names]
    assert len(scripts) > 5
    assert sum(script.stat().st_size for script in scripts) <= 20_000

"""A real browser in front of the real shop, as `make up` runs it.

Everything here ends with this folder's tests. While the synchronous Playwright API is open, Django
treats the thread as asynchronous and refuses the ORM: use `shop.sql()` instead.
"""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    expect,
    sync_playwright,
)

from tests.browser.install import ensure
from tests.prepared import prepared_shop
from tests.running import Shop

# The address bar's own pages cost more at each new context than most pages of the shop. The last
# --disable-features counts alone, so the rest says again what Playwright itself turns off.
WITHOUT = (
    "WebUIOmniboxAimPopup",
    "WebUIOmniboxFullPopup",
    "WebUIOmniboxPopup",
    "AvoidUnnecessaryBeforeUnloadCheckSync",
    "DestroyProfileOnBrowserClose",
    "HttpsFirstBalancedModeAutoEnable",
    "HttpsUpgrades",
    "MediaRouter",
    "NetworkTimeServiceQuerying",
    "OptimizationHints",
    "PaintHolding",
    "ThirdPartyStoragePartitioning",
)
QUIET = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    f"--disable-features={','.join(WITHOUT)}",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    # One process fewer to which every frame is handed.
    "--in-process-gpu",
    "--no-first-run",
)
# Without a graphics card, to blur what lies behind takes 10 ms for the header and 90 ms for an open
# dialog, in every frame. The site's policy allows a sheet that a script makes.
NO_BLUR = """
{
    const sheet = new CSSStyleSheet();
    sheet.replaceSync("*, ::backdrop { backdrop-filter: none !important }");
    document.adoptedStyleSheets.push(sheet);
}
"""
# For a page on a slow machine.
TIMEOUT_MS = 20_000
expect.set_options(timeout=TIMEOUT_MS)
# All browsers here share one address, so limits per address are off.
NO_LIMITS = {
    "RESERVE_RATE": "off", "PAY_RATE": "off", "LOGIN_RATE": "off",
    "RESERVATION_MAX_UNITS_PER_ADDRESS": "0",
}  # fmt: skip

ADMIN = "/admin/"
PASSWORD = "open sesame 7"
ROLES = {"viewer": "Viewer", "keeper": "Stock keeper", "support": "Support", "manager": "Manager"}
NEW_PERSON = """
    WITH person AS (
        INSERT INTO auth_user (username, password, is_staff, is_active, is_superuser, first_name,
            last_name, email, date_joined)
        VALUES ('{name}', '{password}', true, true, false, '', '', '', now()) RETURNING id
    )
    INSERT INTO auth_user_groups (user_id, group_id)
    SELECT person.id, role.id FROM person, auth_group AS role WHERE role.name = '{role}'
"""

NewContext = Callable[..., BrowserContext]
SignIn = Callable[..., Page]


@dataclass
class Complaints:
    """Errors and warnings in the browser's console, violations of the content policy included.

    Unexpected ones fail the test.
    """

    heard: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    def expect(self, pattern: str) -> None:
        """Expect this message, for example "status of 409"."""
        self.expected.append(pattern)

    def listen_to(self, context: BrowserContext) -> None:
        context.on("console", self._hear_console)
        context.on("weberror", lambda error: self.heard.append(f"uncaught: {error.error}"))

    def _hear_console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.heard.append(f"{message.type} on {message.location['url']}: {message.text}")

    def unexpected(self) -> list[str]:
        return [
            complaint
            for complaint in self.heard
            if not any(re.search(pattern, complaint) for pattern in self.expected)
        ]


@pytest.fixture(scope="package")
def shop() -> Iterator[Shop]:
    with prepared_shop(**NO_LIMITS) as shop:
        yield shop


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    executable = ensure()
    sandbox = ("--no-sandbox",) if os.geteuid() == 0 else ()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable, args=[*QUIET, *sandbox], timeout=120_000
        )
        yield browser
        browser.close()


@pytest.fixture
def complaints() -> Iterator[Complaints]:
    complaints = Complaints()
    yield complaints
    assert complaints.unexpected() == []


@pytest.fixture
def motion() -> str:
    """Visitors prefer reduced motion: without a graphics card, motion takes a third of the tests'
    time."""
    return "reduce"


@pytest.fixture
def new_context(
    browser: Browser, shop: Shop, complaints: Complaints, motion: str
) -> Iterator[NewContext]:
    """Make further visitors, each with a session of its own: `new_context(is_mobile=True)`."""
    contexts = []
    usual = {"base_url": shop.url, "locale": "en-IN", "reduced_motion": motion}

    def new(**options: Any) -> BrowserContext:
        context = browser.new_context(**{**usual, **options})
        context.set_default_timeout(TIMEOUT_MS)
        context.add_init_script(NO_BLUR)
        complaints.listen_to(context)
        contexts.append(context)
        return context

    yield new
    for context in contexts:
        context.close()


@pytest.fixture
def context(new_context: NewContext) -> BrowserContext:
    return new_context()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


@pytest.fixture(scope="package")
def people(shop: Shop) -> None:
    """An account for each role, with its password hashed as in the shop."""
    password = PBKDF2PasswordHasher().encode(PASSWORD, "salt", iterations=1000)
    for name, role in ROLES.items():
        shop.sql(NEW_PERSON.format(name=name, password=password, role=role))


@pytest.fixture
def sign_in(new_context: NewContext, people: None) -> SignIn:
    """Open the admin as one of ROLES: `sign_in("keeper", java_script_enabled=False)`."""

    def as_(name: str, **options: Any) -> Page:
        page = new_context(**options).new_page()
        page.goto(ADMIN)
        page.get_by_label("Username").fill(name)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("heading", level=1, name="Today")).to_be_visible()
        # Django's scripts give buttons their clicks only now.
        page.wait_for_load_state()
        return page

    return as_


def screen(name: str, *, motion: bool = False) -> dict[str, Any]:
    """The options of a context for a screen such as "360-dark"."""
    width, scheme = name.split("-")
    return {
        "viewport": {"width": int(width), "height": 800},
        "color_scheme": scheme,
        "reduced_motion": "no-preference" if motion else "reduce",
    }

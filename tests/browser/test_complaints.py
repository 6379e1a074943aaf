"""That browser tests can fail: what a page does wrong is heard."""

from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Complaints

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(
    ("wrong", "event", "complaint"),
    [
        ("console.error('torn')", "console", "error .*: torn"),
        ("console.warn('worn')", "console", "warning .*: worn"),
        ("setTimeout(() => { throw Error('burst') })", "weberror", "uncaught: .*burst"),
        ("new Image().src = 'https://no.invalid/'", "console", "Content Security Policy .*img-src"),
        ("fetch('/nowhere')", "console", "/nowhere: .* status of 404"),
    ],
)
def test_wrong_is_heard(
    page: Page, complaints: Complaints, wrong: str, event: Any, complaint: str
) -> None:
    page.goto("/livez")
    complaints.expect("favicon")
    with page.context.expect_event(event, lambda _: bool(complaints.unexpected())):
        page.evaluate(wrong)
    assert len(complaints.unexpected()) == 1
    complaints.expect(complaint)
    assert complaints.unexpected() == []

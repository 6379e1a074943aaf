"""That browser tests can fail: what a page does wrong is heard."""

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Complaints

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ("console.error('torn')", "error .*: torn"),
        ("console.warn('worn')", "warning .*: worn"),
        ("setTimeout(() => { throw Error('burst') })", "uncaught: .*burst"),
        ("new Image().src = 'https://elsewhere.invalid/'", "Content Security Policy .*img-src"),
        ("fetch('/nowhere')", "/nowhere: .* status of 404"),
    ],
)
def test_wrong_is_heard(page: Page, complaints: Complaints, wrong: str, complaint: str) -> None:
    page.goto("/livez")
    complaints.expect("favicon")
    page.evaluate(wrong)
    for _ in range(250):
        if complaints.unexpected():
            break
        page.wait_for_timeout(20)  # playwright hears only while it waits
    assert len(complaints.unexpected()) == 1
    complaints.expect(complaint)
    assert complaints.unexpected() == []

import os
from typing import Any

import pytest
from django.conf import settings as django_settings


def pytest_sessionstart() -> None:
    """Say at once what is missing, not once per test."""
    if not os.environ.get("DATABASE_URL") or not os.environ.get("REDIS_URL"):
        pytest.exit(
            'The tests need PostgreSQL and Valkey: run `make test ARGS="..."`,'
            " or set DATABASE_URL (of a role that may create databases) and REDIS_URL.",
            returncode=2,
        )
    _part_from_other_tests(os.environ.get("PYTEST_XDIST_WORKER", "gw0"))


def _part_from_other_tests(worker: str) -> None:
    """Processes of tests share one Valkey: each hears, and counts, only its own."""
    django_settings.LIVE_CHANNEL = os.environ["LIVE_CHANNEL"] = f"allo.{worker}"
    django_settings.REDIS_URL += (
        f"{'&' if '?' in django_settings.REDIS_URL else '?'}db={worker[2:]}"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All browser tests share one shop, so one process runs them; the others share out files."""
    for item in items:
        browser = item.get_closest_marker("browser")
        item.add_marker(pytest.mark.xdist_group("browser" if browser else item.path.name))


@pytest.fixture(autouse=True)
def _nothing_collected_and_nobody_counted(settings: Any) -> None:
    """Pages take static files from where they are written, and all shoppers of a test come from
    one address, which is no reason to slow them down."""
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = settings.STORAGES | {"staticfiles": plain}
    settings.WHITENOISE_AUTOREFRESH = True
    settings.RESERVE_RATE = settings.API_RATE = "off"
    # Each test has a database of its own, and rows that are none of the last one's.
    from inventory.shelves import forget  # noqa: PLC0415 - not before Django is set up

    forget()

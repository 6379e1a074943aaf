import os
from typing import Any

import pytest


def pytest_sessionstart() -> None:
    """Say at once what is missing, not once per test."""
    if not os.environ.get("DATABASE_URL") or not os.environ.get("REDIS_URL"):
        pytest.exit(
            'The tests need PostgreSQL and Valkey: run `make test ARGS="..."`,'
            " or set DATABASE_URL (of a role that may create databases) and REDIS_URL.",
            returncode=2,
        )


@pytest.fixture(autouse=True)
def _nothing_collected_and_nobody_counted(settings: Any) -> None:
    """Pages take static files from where they are written, and all shoppers of a test come from
    one address, which is no reason to slow them down."""
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = settings.STORAGES | {"staticfiles": plain}
    settings.WHITENOISE_AUTOREFRESH = True
    settings.RESERVE_RATE = "off"

import os
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import transaction
from xdist.scheduler import LoadScopeScheduling


def pytest_sessionstart() -> None:
    """Say at once what is missing, not once per test."""
    if not os.environ.get("DATABASE_URL") or not os.environ.get("REDIS_URL"):
        pytest.exit(
            'The tests need PostgreSQL and Valkey: run `make test ARGS="..."`,'
            " or set DATABASE_URL (of a role that may create databases) and REDIS_URL.",
            returncode=2,
        )
    # Most tests are one transaction each, and stay in it for as long as they take.
    django_settings.DATABASES["default"]["OPTIONS"]["transaction_timeout"] = 0
    _part_from_other_tests(os.environ.get("PYTEST_XDIST_WORKER", "gw0"))


def _part_from_other_tests(worker: str) -> None:
    """Processes of tests share one Valkey: each hears, and counts, only its own."""
    django_settings.LIVE_CHANNEL = os.environ["LIVE_CHANNEL"] = f"allo.{worker}"
    django_settings.REDIS_URL += (
        f"{'&' if '?' in django_settings.REDIS_URL else '?'}db={worker[2:]}"
    )


# What shares a running shop, which takes long to start; the browser's tests are two halves.
_SHARING = re.compile(r"tests/(api|browser)/(test_(accessibility|layout|staff|stock_room))?")


class _ByFile(LoadScopeScheduling):  # type: ignore[misc]
    """Several processes share out files, or folders whose tests share a shop."""

    def _split_scope(self, nodeid: str) -> str:
        file, _, _ = nodeid.partition("::")
        if shared := _SHARING.match(file):
            return f"{shared[1]} {bool(shared[2])}"
        return file


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first."""
    items.sort(key=lambda item: not _SHARING.match(item.nodeid))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> _ByFile:
    return _ByFile(config, log)


@pytest.fixture(scope="module")
def module_db(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """What is written on top of this is there for a whole module, and then rolled back.

    No vacuum sees it: analyse the tables. Check the constraints, or each test's end does so again.
    """
    with django_db_blocker.unblock(), transaction.atomic():
        yield
        transaction.set_rollback(True)


@pytest.fixture(autouse=True)
def _nothing_collected_and_nobody_counted(settings: Any) -> None:
    """Pages take static files from where they are written, and all shoppers of a test come from
    one address, which is no reason to slow them down; nor are passwords that nobody guesses."""
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = settings.STORAGES | {"staticfiles": plain}
    settings.WHITENOISE_AUTOREFRESH = True
    settings.RESERVE_RATE = settings.API_RATE = settings.LOGIN_RATE = "off"
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    # Each test has a database of its own, and rows that are none of the last one's.
    from inventory.shelves import forget  # noqa: PLC0415 - not before Django is set up

    forget()

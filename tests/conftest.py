import gc
import os
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from math import inf
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import OperationalError, connection, transaction
from django.db.backends.utils import CursorWrapper
from django.test import TransactionTestCase, override_settings
from psycopg.errors import DeadlockDetected
from xdist.scheduler import LoadScopeScheduling

from allo import request_id
from allo.celery import app as celery_app
from allo.redis_client import redis_client
from allo.web.worker import broker
from tests import prepared
from tests.running import PROJECT, state_folder

# Of this process alone: static files are served from their sources; rate limits are off, as all
# shoppers of a test share one address; mail makes no files; orders on delivery need no code; and
# passwords are hashed fast. To set them anew for each test takes longer than many a test.
PLAIN = {
    "STORAGES": django_settings.STORAGES
    | {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}},
    "WHITENOISE_AUTOREFRESH": True,
    **dict.fromkeys(
        ("RESERVE_RATE", "API_RATE", "LOGIN_RATE", "PAY_RATE", "FIND_ORDER_RATE", "CODE_RATE"),
        "off",
    ),
    "MAIL_FOLDER": None,
    "ON_DELIVERY_NEEDS_CODE": False,
    "PASSWORD_HASHERS": ["django.contrib.auth.hashers.MD5PasswordHasher"],
}


def pytest_sessionstart() -> None:
    """Report missing services once, not in each test."""
    if not os.environ.get("DATABASE_URL") or not os.environ.get("REDIS_URL"):
        pytest.exit(
            'The tests need PostgreSQL and Valkey: run `make test ARGS="..."`,'
            " or set DATABASE_URL (of a role that may create databases) and REDIS_URL.",
            returncode=2,
        )
    _be_patient(django_settings.DATABASES["default"]["OPTIONS"])
    # Each request is rendered for itself, but in the tests of what is shared.
    django_settings.SHARED_PAGES = False
    os.environ["SHARED_PAGES"] = "off"
    # Tests are about one thing: a shopper in them may hold most of what there is.
    django_settings.RESERVATION_MAX_SHARE = 0
    os.environ["RESERVATION_MAX_SHARE"] = "0"
    django_settings.RESERVATION_COOL_DOWN_MINUTES = []
    os.environ["RESERVATION_COOL_DOWN_MINUTES"] = "off"
    override_settings(**PLAIN).enable()
    _part_from_other_tests(os.environ.get("PYTEST_XDIST_WORKER", "gw0"))


def _be_patient(options: dict[str, Any]) -> None:
    """Most tests run in one transaction, which may last, and be idle, for longer than the shop's
    limits allow; and beside other tests servers answer late. Those of the tests' own processes."""
    options["transaction_timeout"] = 0
    options["connect_timeout"] = 30
    options["options"] += " -c idle_in_transaction_session_timeout=0"


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Iterator[None]:
    """Lets pytest keep what it makes of a module's asserts, whatever the environment says of other
    modules. Each process of a whole run takes its share of that before it collects; otherwise all
    would do all of it. What is collected stays, so garbage is looked for once, and never again
    among it."""
    keeps, sys.dont_write_bytecode = sys.dont_write_bytecode, False
    gc.disable()
    try:
        for file in _share_of(session.config):
            with suppress(Exception, pytest.skip.Exception):  # told when it is collected
                import_module(".".join(file.relative_to(PROJECT).with_suffix("").parts))
        return (yield)
    finally:
        sys.dont_write_bytecode = keeps
        gc.collect()
        gc.freeze()
        gc.enable()


def _share_of(config: pytest.Config) -> list[Path]:
    worker: dict[str, Any] = getattr(config, "workerinput", {})
    if not worker or config.args != config.getini("testpaths"):
        return []
    files = sorted((PROJECT / "tests").rglob("test_*.py"))
    return files[int(worker["workerid"][2:]) :: worker["workercount"]]


def pytest_configure() -> None:
    if "PYTEST_XDIST_WORKER" not in os.environ:
        prepared.begin()


def pytest_unconfigure() -> None:
    if "PYTEST_XDIST_WORKER" not in os.environ:
        prepared.end()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """The tables of each process are a copy: all processes at once would make them slowly."""
    django_settings.DATABASES["default"]["TEST"]["TEMPLATE"] = prepared.database()


def _truncate_what_was_written(case: TransactionTestCase) -> None:
    """Ends a test that committed. Django would truncate every table and make the permissions anew,
    which takes twice as long. What a migration wrote stays."""
    kept = {"django_content_type", "auth_permission", "auth_group", "auth_group_permissions"}
    kept |= {"site_page"}
    with connection.cursor() as cursor:
        tables = set(connection.introspection.django_table_names(only_existing=True)) - kept
        looks = (f"SELECT '{table}' WHERE EXISTS (SELECT FROM {table})" for table in tables)
        written = cursor.execute(" UNION ALL ".join(looks)).fetchall()
        if written:
            _truncate(cursor, f"TRUNCATE {', '.join(table for (table,) in written)} CASCADE")


def _truncate(cursor: CursorWrapper, statement: str) -> None:
    """Once more if another connection was still reading, and each waited for the other."""
    try:
        cursor.execute(statement)
    except OperationalError as error:
        if not isinstance(error.__cause__, DeadlockDetected):
            raise
        cursor.execute(statement)


TransactionTestCase._fixture_teardown = _truncate_what_was_written  # type: ignore[attr-defined]


def _part_from_other_tests(worker: str) -> None:
    """Test processes share one Valkey; each has a database number, a channel and a queue of its
    own."""
    celery_app.conf.task_default_queue = f"tasks.{worker}"
    django_settings.LIVE_CHANNEL = os.environ["LIVE_CHANNEL"] = f"allo.{worker}"
    # The shop does without an answer that takes a fifth of a second.
    own = f"db={worker[2:]}&socket_timeout=30&socket_connect_timeout=30"
    django_settings.REDIS_URL += f"{'&' if '?' in django_settings.REDIS_URL else '?'}{own}"


# Tests that share a running shop, which takes long to start; the browser tests are two groups.
_SHARING = re.compile(r"tests/(api|browser)/(test_(accessibility|layout|staff|stock_room))?")


class _ByFile(LoadScopeScheduling):  # type: ignore[misc]
    """Distributes tests to processes by file, or by folders whose tests share a shop."""

    def _split_scope(self, nodeid: str) -> str:
        file, _, _ = nodeid.partition("::")
        if shared := _SHARING.match(file):
            return f"{shared[1]} {bool(shared[2])}"
        return file


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Runs the slowest first."""
    items.sort(key=lambda item: (not _SHARING.match(item.nodeid), not _is_slow(item)))


def _is_slow(item: pytest.Item) -> bool:
    """It starts processes, or commits: tables are emptied after it."""
    database = item.get_closest_marker("django_db")
    commits = database is not None and bool(database.kwargs.get("transaction"))
    return commits or any(item.iter_markers("race")) or any(item.iter_markers("runner"))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> _ByFile:
    return _ByFile(config, log)


@pytest.fixture(autouse=True)
def _broker_is_tried() -> None:
    """Also after a test in which it failed."""
    broker.failed_at = float("-inf")


@pytest.fixture(autouse=True)
def _no_request_has_begun() -> None:
    """The last one of the test before stays the thread's."""
    request_id._current.set(request_id.NONE)


@pytest.fixture
def state() -> Iterator[Path]:
    """A state folder that is to be."""
    with state_folder() as folder:
        yield folder


@pytest.fixture
def unhurried(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nobody gives up waiting for others. For races in which each gets a turn: on a slow machine
    that takes longer than a shopper would wait."""
    monkeypatch.setattr("reservations.engine.locks.BRIEFLY_MS", 60_000)
    monkeypatch.setattr("reservations.engine.transactions.IN_FLIGHT_SECONDS", 60)
    settings.LOCK_TIMEOUT_MS = 60_000
    settings.ANSWER_TIMEOUT_MS = 0
    given = connection.settings_dict["OPTIONS"]["options"]
    limits = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout")
    options = " ".join([given, *(f"-c {limit}=0" for limit in limits)])
    # Of the connections of all threads.
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "options", options)
    connection.close()
    yield
    connection.close()


@pytest.fixture
def without_redis(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Neither limits nor live updates nor tasks; each finds that out by itself, or knows it."""
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    redis_client.cache_clear()
    monkeypatch.setattr(broker, "failed_at", inf)
    yield
    redis_client.cache_clear()


@pytest.fixture(scope="module")
def module_db(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """A transaction for a whole module: rows written in it are rolled back at its end.

    Autovacuum does not see these rows, so analyse the tables. Check the constraints once, or the
    end of each test checks them again.
    """
    with django_db_blocker.unblock(), transaction.atomic():
        yield
        transaction.set_rollback(True)


@pytest.fixture(autouse=True)
def _no_row_is_kept_of_the_last_test() -> None:
    """Each test has its own rows, so cached ones are wrong."""
    from inventory.shelves import forget  # noqa: PLC0415 - not before Django is set up

    forget()

"""Changed connections for tests: to a missing server, pooled, limited in time."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection


@contextmanager
def connected(options: dict[str, Any], **settings: Any) -> Iterator[None]:
    """All threads connect with these options meanwhile; None removes an option."""
    before = dict(connection.settings_dict)
    changed = {**before["OPTIONS"], **options}
    connection.close()
    connection.settings_dict.update(
        settings, OPTIONS={name: value for name, value in changed.items() if value is not None}
    )
    try:
        yield
    finally:
        connection.close()
        connection.close_pool()  # type: ignore[attr-defined]
        connection.settings_dict.update(before)


POOL = {"min_size": 1, "max_size": 4, "timeout": 30, "reconnect_timeout": 5}


@pytest.fixture
def pooled() -> Iterator[None]:
    with connected({"pool": POOL}):
        yield


@pytest.fixture
def alone() -> Iterator[None]:
    """A pool of one connection, so that the next caller gets the same one."""
    with connected({"pool": {**POOL, "max_size": 1}}):
        yield


@pytest.fixture
def away() -> Iterator[None]:
    """No server listens; a caller of the pool waits only a moment."""
    with connected({"pool": {**POOL, "timeout": 0.3}}, HOST="/nowhere"):
        yield


@pytest.fixture
def hurried() -> Iterator[None]:
    """A very short transaction timeout."""
    with connected({"transaction_timeout": 1000}):
        yield


@pytest.fixture
def limited() -> Iterator[None]:
    """A transaction timeout, without which tests are otherwise."""
    with connected({"transaction_timeout": 60_000}):
        yield

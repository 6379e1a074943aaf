from collections.abc import Iterator
from typing import Any

import pytest

from allo.redis_client import redis_client


@pytest.fixture
def rooms(settings: Any) -> Iterator[None]:
    """Rooms are at the shop's own host. What is left of them in Redis goes after the test."""
    settings.SITE_URL = "http://testserver"
    yield
    for name in redis_client().scan_iter("*room*"):
        redis_client().delete(name)

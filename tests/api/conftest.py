"""The shop as `make up` runs it, gunicorn with 2 workers of 16 threads, for calls over HTTP."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.api.http import Caller, Stock
from tests.prepared import prepared_shop
from tests.running import Shop

NewCaller = Callable[..., Caller]

# Each caller sends an address of its own, as a proxy would, so that one's cap does not limit the
# others.
SETTINGS = {
    "RESERVE_RATE": "off", "PAY_RATE": "off", "API_RATE": "off", "LOGIN_RATE": "off",
    "TRUSTED_PROXIES": "1", "WEB_CONCURRENCY": "2", "WEB_THREADS": "16",
    # What is held is held to the end of these tests.
    "RESERVATION_TTL_SECONDS": "7200",
}  # fmt: skip


@pytest.fixture(scope="package")
def shop() -> Iterator[Shop]:
    with prepared_shop(**SETTINGS) as shop:
        yield shop


@pytest.fixture
def new_caller(shop: Shop) -> Iterator[NewCaller]:
    """Make API clients, each with an address of its own: `new_caller(token)`."""
    with ExitStack() as callers:
        yield lambda token="": callers.enter_context(Caller(shop, token))


@pytest.fixture
def caller(new_caller: NewCaller) -> Caller:
    return new_caller()


@pytest.fixture
def stock(shop: Shop) -> Stock:
    return Stock(shop)

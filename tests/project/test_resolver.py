"""A name server that does not answer keeps nobody waiting longer than the server whose name it is
would."""

import ctypes
import platform
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import redis
from psycopg_pool import PoolTimeout

from allo.redis_client import redis_client
from allo.web.rate import seconds_to_wait
from reservations import services
from reservations.engine.commands import Holder
from reservations.exceptions import Busy
from tests.database.conftest import POOL, connected
from tests.hooks.receiver import receiver
from tests.running import free_port, wait_for
from tests.valkey import valkey_at

NAME = "server.example.org"
# In seconds: far longer than any step of a test takes.
SILENCE = 60
CERTIFICATE = Path(__file__).parents[1] / "hooks" / "localhost.pem"


@pytest.fixture
def silent(monkeypatch) -> Iterator[Event]:
    """Nobody answers what `NAME` is, until the event; then it is this machine."""
    look_up, answers = socket.getaddrinfo, Event()

    def asked(host: str, *arguments: Any, **named: Any) -> Any:
        if host != NAME:
            return look_up(host, *arguments, **named)
        answers.wait(SILENCE)
        return look_up("127.0.0.1", *arguments, **named)

    monkeypatch.setattr(socket, "getaddrinfo", asked)
    yield answers
    answers.set()


@pytest.fixture
def redis_at(settings) -> Iterator[Any]:
    """Makes the client of this address the shop's."""
    usual = settings.REDIS_URL

    def named(url: str) -> redis.Redis:
        settings.REDIS_URL = url
        redis_client.cache_clear()
        return redis_client()

    yield named
    named(usual)


def test_no_page_waits_for_the_name_of_redis(silent, redis_at, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("allo.redis_client.TIMEOUT_SECONDS", 0.2)
    port = free_port()
    client = redis_at(f"redis://{NAME}:{port}/0")
    with valkey_at(port, tmp_path):
        began = time.monotonic()
        with pytest.raises(redis.RedisError):
            client.ping()
        assert seconds_to_wait("1/h", "test", NAME) == 0
        assert 0.4 <= time.monotonic() - began < SILENCE / 2
        silent.set()
        wait_for(lambda: pings(client))


def pings(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False


def test_the_certificate_of_redis_is_of_its_name(redis_at) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(CERTIFICATE)
    with receiver(tls=tls) as there:
        for host, is_valid in (("localhost", True), ("127.0.0.1", False)):
            pool = redis_at(f"rediss://{host}:{there.port}/0?ssl_ca_certs={CERTIFICATE}")
            connection = pool.connection_pool.make_connection()
            if is_valid:
                connection._connect().close()
            else:
                with pytest.raises(ssl.SSLCertVerificationError):
                    connection._connect()
            assert connection.host == host


@pytest.mark.django_db(transaction=True)
def test_callers_are_refused_while_nobody_says_where_the_database_is(silent) -> None:
    with connected({"pool": {**POOL, "timeout": 0.3}}, HOST=NAME, PORT="1"):
        began = time.monotonic()
        for _ in range(3):
            with pytest.raises((Busy, PoolTimeout)):
                services.reserve_in(rows=(1,), quantity=1, holder=Holder("session:1"))
        assert time.monotonic() - began < SILENCE / 2
        silent.set()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another resolver")
def test_the_systems_resolver_gives_up_within_seconds() -> None:
    """As this process has it, which has read the settings."""
    libc = ctypes.CDLL(None)
    libc.__res_state.restype = ctypes.POINTER(ctypes.c_int * 2)
    libc.__res_init()
    seconds, times = libc.__res_state().contents
    assert (seconds, times) == (1, 2)

"""Redis clients for REDIS_URL: of one server, or of the primary that sentinels name, as in
`sentinel://h1:26379,h2:26379,h3:26379/0?service=allo`."""

from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from django.conf import settings
from redis import Redis
from redis.asyncio import BlockingConnectionPool
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio.retry import Retry as AsyncRetry
from redis.asyncio.sentinel import Sentinel as AsyncSentinel
from redis.asyncio.sentinel import SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.connection import Connection, SSLConnection
from redis.retry import Retry
from redis.sentinel import Sentinel

from allo import resolver

TIMEOUT_SECONDS = 0.2
USUAL_PORT = 26_379


class Sentinels(NamedTuple):
    hosts: list[tuple[str, int]]
    service: str
    # Of the sentinels, which often have none.
    password: str | None
    # Of the servers.
    connection: dict[str, Any]

    @classmethod
    def of(cls, url: str) -> "Sentinels | None":
        """None if the URL names a server."""
        parts = urlsplit(url)
        if parts.scheme != "sentinel":
            return None
        account, _, hosts = parts.netloc.rpartition("@")
        name, _, password = account.partition(":")
        query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        return cls(
            [_host(text) for text in hosts.split(",")],
            query.get("service", "mymaster"),
            query.get("sentinel_password"),
            {
                "db": int(query.get("db") or parts.path.strip("/") or 0),
                "username": unquote(name) or None,
                "password": unquote(password) or None,
            },
        )

    def manager(self, kind: type[Any], timeout: float) -> Any:
        limits = {"socket_timeout": timeout, "socket_connect_timeout": timeout}
        return kind(self.hosts, sentinel_kwargs={**limits, "password": self.password})


def _host(text: str) -> tuple[str, int]:
    name, _, port = text.partition(":")
    return name, int(port or USUAL_PORT)


class _Impatient(Connection):
    """The look-up of the server's name has the same time limit as the connection."""

    def _connect(self) -> Any:
        name, failure = self.host, OSError("no address")
        try:
            for ip in resolver.ip_addresses(name, self.port, TIMEOUT_SECONDS):
                self.host = ip
                try:
                    return super()._connect()  # type: ignore[no-untyped-call]
                except OSError as error:
                    failure = error
            raise failure
        finally:
            # Its certificate is of the name.
            self.host = name


class _ImpatientTLS(SSLConnection, _Impatient):
    """The one checks the certificate of what the other one connects to."""


IMPATIENT = {Connection: _Impatient, SSLConnection: _ImpatientTLS}


@lru_cache(maxsize=1)
def redis_client() -> Redis:
    """For code that must not wait for Redis: short timeouts, no retries."""
    options: dict[str, Any] = {
        "socket_timeout": TIMEOUT_SECONDS,
        "socket_connect_timeout": TIMEOUT_SECONDS,
        "retry": Retry(NoBackoff(), 0),
    }
    if sentinels := Sentinels.of(settings.REDIS_URL):
        manager = sentinels.manager(Sentinel, TIMEOUT_SECONDS)
        client: Redis = manager.master_for(sentinels.service, **sentinels.connection, **options)
        return client
    client = Redis.from_url(settings.REDIS_URL, **options)
    pool = client.connection_pool
    # That of a Unix socket looks nothing up.
    pool.connection_class = IMPATIENT.get(pool.connection_class, pool.connection_class)
    return client


class _BlockingSentinelPool(SentinelConnectionPool, BlockingConnectionPool):
    """Callers beyond `max_connections` wait for a connection, for `timeout` seconds."""

    async def disconnect(self, inuse_connections: bool = True) -> None:
        await super().disconnect(inuse_connections)
        for sentinel in self.sentinel_manager.sentinels:
            await sentinel.aclose()


def async_client(
    url: str, *, connect: float, answer: float | None, connections: int = 1, wait: float = 0
) -> AsyncRedis:
    """`connect`, `answer` (None for ever) and `wait`, for a free connection, are in seconds. No
    retries, which would hide that messages were lost."""
    options: dict[str, Any] = {
        "socket_connect_timeout": connect,
        "socket_timeout": answer,
        "retry": AsyncRetry(NoBackoff(), 0),
        "max_connections": connections,
        "timeout": wait,
    }
    if sentinels := Sentinels.of(url):
        manager = sentinels.manager(AsyncSentinel, connect)
        options |= sentinels.connection
        kind: Any = _BlockingSentinelPool
        pool = kind(sentinels.service, manager, **options)
    else:
        pool = BlockingConnectionPool.from_url(url, **options)
    return AsyncRedis.from_pool(pool)

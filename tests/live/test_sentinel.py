"""Redis behind sentinels: the primary dies, and everything goes on with its replica."""

import asyncio
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from redis import Redis, RedisError

from allo.celery import app
from allo.live.rooms.keeper import _client
from allo.redis_client import Sentinels, redis_client
from allo.settings import clock
from tests.running import free_port, wait_for
from tests.valkey import answers, program, valkey_at

CONFIGURATION = """
port {port}
bind 127.0.0.1
dir {folder}
sentinel monitor allo 127.0.0.1 {primary} 1
sentinel down-after-milliseconds allo 600000
"""


@contextmanager
def sentinel_of(primary: int, folder: Path) -> Iterator[int]:
    port = free_port()
    file = folder / "sentinel.conf"
    file.write_text(CONFIGURATION.format(port=port, folder=folder, primary=primary))
    command = [str(program()), str(file), "--sentinel"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as sentinel:
        try:
            wait_for(lambda: answers(port))
            yield port
        finally:
            sentinel.kill()


def knows_a_replica(sentinel: int) -> bool:
    return Redis(port=sentinel).sentinel_slaves("allo") != []


def give_up_after(milliseconds: int, sentinel: int) -> None:
    """Few only while a server is dead: on a busy machine one that lives may be silent as long."""
    Redis(port=sentinel).sentinel_set("allo", "down-after-milliseconds", milliseconds)


def has_replica(primary: int) -> bool:
    found: Any = Redis(port=primary).info("replication")
    return bool(found.get("slave0", {}).get("state") == "online")


def takes_writes() -> bool:
    try:
        return bool(redis_client().set("written", "after"))
    except RedisError:
        return False


async def read_by_live(url: str) -> Any:
    async with _client(url, 8) as redis:
        return await redis.get("written")


@pytest.mark.race
def test_after_a_failover_web_live_and_worker_use_the_replica(settings, tmp_path) -> None:
    ports = [free_port(), free_port()]
    with valkey_at(ports[0], tmp_path) as first, valkey_at(ports[1], tmp_path):
        # Valkey would wait 5 s for more replicas.
        Redis(port=ports[0]).config_set("repl-diskless-sync-delay", "0")
        Redis(port=ports[1]).replicaof("127.0.0.1", str(ports[0]))
        # A sentinel looks for replicas at once, and then each 10 s.
        wait_for(lambda: has_replica(ports[0]))
        with sentinel_of(ports[0], tmp_path) as sentinel:
            # Only the second of the sentinels is there.
            url = f"sentinel://127.0.0.1:{free_port()},127.0.0.1:{sentinel}/0?service=allo"
            settings.REDIS_URL = url
            redis_client.cache_clear()
            wait_for(lambda: knows_a_replica(sentinel))
            wait_for(takes_writes)
            first.kill()
            first.wait()
            give_up_after(200, sentinel)
            wait_for(takes_writes)
            give_up_after(600_000, sentinel)
            assert Redis(port=ports[1]).get("written") == b"after"
            assert asyncio.run(read_by_live(url)) == b"after"
            options = clock.broker_options(url)
            broker = clock.broker_url(url)
            with app.connection_for_write(broker, transport_options=options) as connection:
                channel: Any = connection.default_channel
                assert channel.client.get("written") == b"after"
            redis_client.cache_clear()


@pytest.mark.parametrize(
    ("url", "hosts", "service", "connection"),
    [
        (
            "sentinel://:p%40ss@h1:1,h2/3?service=shop&sentinel_password=s",
            [("h1", 1), ("h2", 26379)], "shop",
            {"db": 3, "username": None, "password": "p@ss"},
        ),
        (
            "sentinel://h1", [("h1", 26379)], "mymaster",
            {"db": 0, "username": None, "password": None},
        ),
    ],
)  # fmt: skip
def test_sentinels_are_read_from_the_url(url, hosts, service, connection) -> None:
    found = Sentinels.of(url)
    assert found
    assert (found.hosts, found.service, found.connection) == (hosts, service, connection)
    assert Sentinels.of("redis://h1:6379/0") is None

"""From a topic to the streams that wait for it, on one event loop."""

import asyncio
import time

import pytest

from allo.live import hub as hubs
from allo.live.hub import DOWN, UP, Client, Hub
from allo.live.tokens import Listening


def listening(*topics: str, ago: float = 0) -> Listening:
    return Listening(frozenset(topics), time.time() - ago)


async def heard(client: Client, seconds: float = 1) -> bytes:
    async with asyncio.timeout(seconds):
        return await client.next()


def up(hub: Hub, ago: float = 60) -> Hub:
    """A hub whose subscription has been complete for a while."""
    hub.up()
    hub._hears_since = time.time() - ago
    return hub


def run(test):
    """Each test is a coroutine on a loop of its own."""
    return lambda: asyncio.run(test())


@run
async def test_only_streams_that_listen_to_a_topic_get_it():
    hub = up(Hub())
    mine, other = hub.join(listening("holder:a")), hub.join(listening("holder:b"))
    assert [await heard(client) for client in (mine, other)] == [UP, UP]
    hub.changed(["holder:a"])
    assert await heard(mine) == b"data: 0 holder:a\n\n"
    with pytest.raises(TimeoutError):
        await heard(other, 0.05)


@run
async def test_all_of_a_kind_come_in_one_message():
    hub = up(Hub())
    client = hub.join(listening("product:*"))
    await heard(client)
    hub.changed(["product:1", "product:2", "holder:a"])
    assert sorted((await heard(client)).split()) == [b"0", b"data:", b"product:1", b"product:2"]


@run
async def test_too_many_of_a_kind_are_all_of_it():
    hub = up(Hub())
    client = hub.join(listening("product:*"))
    await heard(client)
    hub.changed(f"product:{n}" for n in range(hubs.TOO_MANY + 1))
    assert await heard(client) == b"data: 0 product:*\n\n"


@run
async def test_what_changes_all_the_time_is_sent_a_few_times_a_second():
    hub = up(Hub())
    client = hub.join(listening("product:1"))
    await heard(client)
    messages = 0

    async def count() -> None:
        nonlocal messages
        while True:
            await client.next()
            messages += 1

    counting = asyncio.create_task(count())
    for _ in range(100):
        hub.changed(["product:1"])
        await asyncio.sleep(0.01)
    counting.cancel()
    assert 2 <= messages <= 1 / hubs.GATHER_SECONDS + 2


@run
async def test_a_new_stream_gets_what_its_page_missed():
    hub = up(Hub())
    early = hub.join(listening("product:1"))
    await heard(early)
    hub.changed(["product:1", "product:2"])
    await heard(early)
    assert await heard(hub.join(listening("product:2"))) == UP + b"data: 0 product:2\n\n"
    assert await heard(hub.join(listening("product:3"))) == UP
    assert (await heard(hub.join(listening("product:3", ago=3600)))).endswith(b" *\n\n")


@run
async def test_without_redis_every_stream_is_notified():
    hub = Hub()
    client = hub.join(listening("product:1"))
    assert await heard(client) == DOWN
    hub.up()
    assert await heard(client) == UP + b"data: 0 *\n\n"
    hub.down()
    assert await heard(client) == DOWN


@run
async def test_a_slow_reader_is_dropped_and_not_buffered():
    hub = up(Hub())

    async def slow() -> None:
        hub.join(listening("product:1"))
        await asyncio.Event().wait()

    reader = asyncio.create_task(slow())
    await asyncio.sleep(0)
    for _ in range(hubs.QUEUE + 1):
        hub.beat(hub.clients)
    await asyncio.wait([reader], timeout=1)
    assert reader.cancelled()


@run
async def test_thousands_of_pages_spread_their_requests():
    assert hubs.told(["product:1"], 5000) == b"data: 2500 product:1\n\n"
    assert hubs.told(["product:1"], 10**6) == b"data: 5000 product:1\n\n"


@run
async def test_a_closed_stream_leaves_nothing_behind():
    hub = up(Hub())
    client = hub.join(listening("product:1", "holder:a"))
    hub.leave(client)
    assert not hub.clients
    assert not hub._listening


@run
async def test_what_is_remembered_is_forgotten_in_time():
    hub = up(Hub())
    hub._changed = {"product:1": time.time() - hubs.REMEMBER_SECONDS - 1}
    client = hub.join(listening("product:2"))
    await heard(client)
    hub.changed(["product:2"])
    await heard(client)
    assert list(hub._changed) == ["product:2"]

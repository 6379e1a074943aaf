"""From a message to the streams that wait for it, on one event loop."""

import asyncio
import time

import pytest

from allo.live import hub as hubs
from allo.live import streams
from allo.live.hub import Hub
from allo.live.memory import REMEMBER_SECONDS
from allo.live.message import EVERYTHING, Message
from allo.live.streams import Batch, Client
from allo.live.tokens import Listening

MINUTE = 60_000_000


def listening(*topics: str, ago: float = 0) -> Listening:
    return Listening(frozenset(topics), time.time() - ago)


def now() -> int:
    return time.time_ns() // 1000


def stock(row: int, total: int, reserved: int, at: int | None = None) -> Message:
    """A message about product 1."""
    return Message("product:1", now() if at is None else at, str(row), f"{total} {reserved}")


async def heard(client: Client, seconds: float = 30) -> list[str]:
    """The messages next sent, each without its spread; a state by its name."""
    async with asyncio.timeout(seconds):
        text = (await client.next()).decode()
    words = []
    for line in text.splitlines():
        name, _, rest = line.partition(": ")
        if name in {"event", "data"} and rest:
            words.append(rest.partition(" ")[2] or rest)
    return words


async def sends(client: Client, *messages: Message) -> None:
    assert await heard(client) == [message.line for message in messages]


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
    assert [await heard(client) for client in (mine, other)] == [["up"], ["up"]]
    message = Message("holder:a", now())
    hub.changed([message])
    await sends(mine, message)
    with pytest.raises(TimeoutError):
        await heard(other, 0.05)
    lost = Message(EVERYTHING, now())
    hub.changed([lost])
    for client in (mine, other):
        await sends(client, lost)
    assert (await heard(hub.join(listening("holder:c", ago=1))))[0] == lost.line


@run
async def test_what_changes_all_the_time_is_told_a_few_times_a_second_and_its_last_numbers():
    hub = up(Hub())
    client = hub.join(listening("product:1"))
    await heard(client)
    messages: list[str] = []

    async def count() -> None:
        while "product:1 7 100 100 99" not in messages:
            messages.extend(await heard(client))

    began = time.monotonic()
    counting = asyncio.create_task(count())
    for n in range(100):
        hub.changed([stock(7, 100, n, at=n + 1)])
        await asyncio.sleep(0.01)
    await counting
    # As many as in the seconds that it took, not as many as there were changes.
    assert 2 <= len(messages) <= 2 + (time.monotonic() - began) / hubs.GATHER_SECONDS


@run
async def test_the_longer_sending_takes_the_longer_it_is_gathered():
    hub = up(Hub())
    client = hub.join(listening("product:1"))
    await heard(client)
    hub.changed([stock(7, 10, 1)])
    await heard(client)
    await asyncio.sleep(0)
    # How long this machine takes does not count.
    clock = asyncio.get_running_loop().time
    hub._sent_at = clock() + 60
    hub._have_sent()
    assert hub._gather_seconds == hubs.GATHER_SECONDS
    hub._sent_at = clock() - 600
    hub._have_sent()
    assert 1200 <= hub._gather_seconds < 1300


@run
async def test_of_each_row_only_the_newest_is_told_unless_the_clock_was_set_back():
    hub = up(Hub())
    client = hub.join(listening("product:1"))
    await heard(client)
    at = now()
    newest, other = stock(7, 10, 3, at), stock(8, 5, 0, at - 5)
    hub.changed([newest, stock(7, 10, 2, at - 1), other])
    await sends(client, newest, other)
    hub.changed([stock(7, 10, 1, at - 2)])
    with pytest.raises(TimeoutError):
        await heard(client, 0.4)
    set_back = stock(7, 10, 4, at - 2 * MINUTE)
    hub.changed([set_back])
    await sends(client, set_back)


@run
async def test_what_is_requested_anew_is_never_passed_over():
    hub = up(Hub())
    client = hub.join(listening("product:1"))
    await heard(client)
    for at in (now(), now() - 1_000_000):  # of two processes with different clocks
        message = Message("product:1", at)
        hub.changed([message])
        await sends(client, message)


@run
async def test_a_new_stream_gets_what_its_page_missed():
    hub = up(Hub())
    early = hub.join(listening("product:1"))
    await heard(early)
    messages = [stock(7, 10, 3), stock(8, 10, 3), Message("product:2", now())]
    hub.changed(messages)
    await sends(early, *messages[:2])
    missed = [*(message.line for message in messages[:2]), "up"]
    assert await heard(hub.join(listening("product:1", ago=20))) == missed
    assert await heard(hub.join(listening("product:3", ago=20))) == ["up"]
    # A page that was read since, by more than clocks differ.
    assert await heard(hub.join(listening("product:1", ago=-hubs.CLOCK_SECONDS - 1))) == ["up"]
    (everything, _) = await heard(hub.join(listening("product:3", ago=3600)))
    assert everything.startswith(f"{EVERYTHING} page ")


@run
async def test_a_new_stream_does_not_hear_of_the_hold_that_its_page_shows():
    """Or each page would request its parts anew after each hold; a token has whole seconds."""
    hub = up(Hub())
    early = hub.join(listening("holder:x", "product:1"))
    await heard(early)
    hold = Message("holder:x", now())
    left = stock(7, 10, 3, at=hold.at)
    hub.changed([hold, left])
    await sends(early, hold, left)
    shows = listening("holder:x", "product:1")._replace(shown=frozenset({hold.at}))
    # What it shows of stock may be a second old.
    assert await heard(hub.join(shows)) == [left.line, "up"]
    later = hold._replace(at=hold.at + 1)
    hub.changed([later])
    await sends(early, later)
    assert await heard(hub.join(shows)) == [left.line, later.line, "up"]


@run
async def test_without_redis_every_stream_is_notified():
    hub = Hub()
    client = hub.join(listening("product:1"))
    assert await heard(client) == ["down"]
    hub.up()
    everything, is_up = await heard(client)
    assert (everything.split()[0], is_up) == (EVERYTHING, "up")
    hub.down()
    assert await heard(client) == ["down"]


@run
async def test_a_stream_that_is_up_says_what_time_it_is():
    hub = up(Hub())
    client = hub.join(listening("product:1"))
    before = now()
    hub.beat([client])
    sent = (await client.next()).decode().splitlines()
    moments = [int(line.removeprefix("id: ")) for line in sent if line.startswith("id: ")]
    assert [before - 1_000_000 < at <= now() for at in moments] == [True]


@run
async def test_a_slow_stream_keeps_only_the_newest_of_each_row():
    hub = up(Hub())
    slow = hub.join(listening("product:1", "holder:a"))
    await heard(slow)
    for n in range(500):
        slow.group.put(Batch({("product:1", "7"): b"%d" % n, ("product:1", "8"): b"-"}))
    hub.down()
    hub.up()
    assert slow._unsent
    assert len(slow._unsent.lines) == 4  # both rows, the state and "*"
    text = (await slow.next()).decode()
    assert text.startswith("499-")
    assert (text.count("event: up"), text.count("event: down")) == (1, 0)


@run
async def test_a_stream_that_takes_nothing_for_long_is_dropped():
    hub = up(Hub())

    async def stuck() -> None:
        hub.join(listening("product:1"))
        await asyncio.Event().wait()

    reader = asyncio.create_task(stuck())
    await asyncio.sleep(0)
    (client,) = hub.clients
    hub.beat(hub.clients)
    await asyncio.sleep(0)
    assert not reader.done()
    client._put_at -= hubs.STUCK_SECONDS
    hub.beat(hub.clients)
    await asyncio.wait([reader], timeout=30)
    assert reader.cancelled()


@run
async def test_streams_with_equal_topics_are_one_group_and_share_each_message():
    hub = up(Hub())
    pages = [hub.join(listening("product:1", "product:2")) for _ in range(50)]
    another = hub.join(listening("product:1"))
    for client in (*pages, another):
        await heard(client)
    hub.changed([stock(7, 10, 3), Message("product:2", now())])
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    async with asyncio.timeout(30):
        texts = [await client.next() for client in pages]
    assert len({id(text) for text in texts}) == 1
    assert texts[0].count(b"data: ") == 2
    assert (await another.next()).count(b"data: ") == 1
    assert len(hub._groups) == 2


@run
async def test_thousands_sent_at_once_ask_one_after_the_other_and_wait_for_as_long():
    anew, numbers = Message("product:1", 5), stock(7, 10, 3, at=5)
    assert hubs.as_event(anew, 5000) == b"data: 2500 product:1 page 5\n\n"
    assert hubs.as_event(anew, 10**6) == b"data: 5000 product:1 page 5\n\n"
    assert hubs.as_event(numbers, 5000) == b"data: 2500 product:1 7 5 10 3\n\n"


@run
async def test_pages_that_each_make_a_request_of_their_own_take_as_long_as_it_needs():
    moved = Message("list:1", 5, numbers="20")
    assert hubs.as_event(moved, 1) == b"data: 50 list:1 page 5 20\n\n"
    assert hubs.as_event(moved, 1500) == b"data: 75000 list:1 page 5 20\n\n"


@run
async def test_a_closed_stream_leaves_nothing_behind():
    hub = up(Hub())
    first, second = (hub.join(listening("product:1", "holder:a")) for _ in range(2))
    hub.leave(first)
    assert hub._groups
    hub.leave(second)
    assert (hub.clients, hub._groups, hub._listening) == (set(), {}, {})


@run
async def test_what_is_remembered_is_forgotten_in_time():
    hub = up(Hub())
    client = hub.join(listening("product:2"))
    await heard(client)
    hub.changed([stock(7, 10, 3), Message("product:2", now())])
    await heard(client)
    memory = hub._memory
    memory._came["product:1", "7"] -= REMEMBER_SECONDS + 1
    hub.changed([Message("product:2", now())])
    await heard(client)
    assert list(memory._came) == [("product:2", "page")]
    assert list(memory._newest) == ["product:2"]


@run
async def test_a_new_stream_costs_the_same_however_much_others_are_about():
    """In a drop of thousands each new stream would stop the loop for all the others."""
    hub = up(Hub())

    def joined() -> float:
        began = time.thread_time()
        for n in range(100):
            hub.join(listening("product:1", f"holder:{n}"))
        return time.thread_time() - began

    alone = joined()
    hub._memory.remember(Message(f"holder:{n}", n) for n in range(20_000))
    assert joined() < 20 * alone


def test_a_beat_is_a_comment_that_no_page_hears():
    assert streams.line(streams.BEAT).startswith(b":")

"""What is published and when, and that no caller waits for it."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import transaction
from redis import Redis
from redis.client import PubSub

from allo import live
from allo.live import channel, publisher
from inventory import adjustments
from reservations import services
from reservations.clock import expiry
from reservations.engine import transactions as engine
from reservations.engine.events import holder_topic
from reservations.exceptions import InsufficientStock
from tests import stock_room
from tests.reservations.test_verbs import hold, units
from tests.stock import pass_time, stocked

pytestmark = pytest.mark.django_db(transaction=True)

Heard = Callable[[], set[str]]

# The child is forked, and both end, when the test says that it has heard the one before.
PARENT_AND_CHILD = """
import os, django
django.setup()
from allo import live
live.publish("test:parent")
input()
if os.fork() == 0:
    live.publish("test:child")
    input()
    os._exit(0)
os.wait()
"""


@pytest.fixture
def subscription() -> Iterator[PubSub]:
    with Redis.from_url(settings.REDIS_URL) as redis, redis.pubsub() as subscription:
        subscription.subscribe(settings.LIVE_CHANNEL)
        subscription.get_message(timeout=1)
        yield subscription


@pytest.fixture
def heard(subscription: PubSub) -> Heard:
    """All topics published since the last call."""

    def heard() -> set[str]:
        live.publish("end:of-it")
        topics: set[str] = set()
        while "end:of-it" not in topics:
            topics |= next_topics(subscription)
        return topics - {"end:of-it"}

    return heard


def next_topics(subscription: PubSub, seconds: float = 2) -> set[str]:
    message = subscription.get_message(timeout=seconds)
    assert message, "nothing was published"
    return set(channel.unpack(message["data"]))


def test_each_verb_tells_stock_holder_and_reservation(heard: Heard) -> None:
    row = stocked(5)
    reservation = hold(row, 2, "session:secret")
    product, holder = f"product:{row.product_id}", holder_topic("session:secret")
    its = f"reservation:{reservation.pk}"
    assert heard() == {product, holder}
    services.renew(reservation_id=reservation.pk)
    assert heard() == {holder, its}
    services.release(reservation_id=reservation.pk)
    assert heard() == {product, holder, its}
    assert "secret" not in holder


@pytest.mark.parametrize("noticed", ["read", "swept", "short"])
def test_an_expiry_is_published_however_it_is_noticed(heard: Heard, noticed: str) -> None:
    row = stocked(1)
    reservation = hold(row, 1, "session:late")
    pass_time(601)
    heard()
    if noticed == "read":
        services.get(reservation_id=reservation.pk)
    elif noticed == "swept":
        call_command("expire_due")
    else:
        hold(row, 1, "session:next")
    told = heard()
    assert told >= {f"reservation:{reservation.pk}", holder_topic("session:late")}
    # Units freed by one hold and taken by the next at once leave the stock as it was.
    assert (f"product:{row.product_id}" in told) == (noticed != "short")


def test_a_refusal_publishes_nothing(heard: Heard) -> None:
    row = stocked(1)
    with pytest.raises(InsufficientStock):
        hold(row, 2)
    assert heard() == set()


def test_inside_another_transaction_it_is_published_when_that_commits(heard: Heard) -> None:
    row = stocked(5)
    with transaction.atomic():
        hold(row)
        assert heard() == set()
    assert f"product:{row.product_id}" in heard()
    with transaction.atomic():
        hold(row, 1, "session:other")
        transaction.set_rollback(True)
    assert heard() == set()


def test_a_failure_to_publish_breaks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_events: object) -> None:
        raise RuntimeError

    for module in (engine, expiry, adjustments):
        monkeypatch.setattr(module, "tell", broken)
    row = stocked(5)
    assert hold(row).is_pending
    stock_room.receive(inventory_id=row.pk, units=2)
    assert units(row) == (7, 1)
    pass_time(601)
    assert expiry.expire_due().expired == 1
    assert units(row) == (7, 0)


def test_what_staff_change_is_published(heard: Heard) -> None:
    rows = [stocked(5, warehouse=f"w-{n}") for n in range(2)]
    row = next(row for row in rows if row.pk != row.product_id)
    stock_room.receive(inventory_id=row.pk, units=2)
    assert heard() == {f"product:{row.product_id}"}


def test_a_short_command_says_it_before_it_ends(heard: Heard) -> None:
    code = "from allo import live; live.publish('test:short')"
    for _ in range(3):
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"DJANGO_SETTINGS_MODULE": "allo.settings"},
            check=True,
        )
        assert heard() == {"test:short"}


def test_a_forked_process_publishes_for_itself(subscription: PubSub) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT_AND_CHILD],
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "allo.settings"},
        stdin=subprocess.PIPE,
    ) as parent:
        assert parent.stdin
        for topic in ("test:parent", "test:child"):
            assert next_topics(subscription, seconds=30) == {topic}
            parent.stdin.write(b"\n")
            parent.stdin.flush()
    assert parent.returncode == 0


def test_without_redis_nobody_waits_and_nothing_piles_up(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # Something that takes connections and never answers.
    gone = Redis.from_url("redis://10.255.255.1:1", socket_connect_timeout=0.2)
    monkeypatch.setattr(publisher, "redis_client", lambda: gone)
    mine = publisher.Publisher()
    started = time.perf_counter()
    for n in range(50_000):
        mine.add([f"product:{n}"])
    assert time.perf_counter() - started < 2
    assert len(mine._waiting) <= publisher.MAX_WAITING
    mine.flush()
    mine.flush()
    assert caplog.text.count("no live updates") == 1


def test_a_hot_path_pays_microseconds() -> None:
    topics = [f"product:{n}" for n in range(64)]
    started = time.perf_counter()
    for _ in range(1000):
        live.publish(*topics)
    assert (time.perf_counter() - started) / 1000 < 0.001

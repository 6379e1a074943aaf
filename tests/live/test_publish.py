"""What is published and when, and that no caller waits for it."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import transaction
from django.test import Client
from django.urls import reverse
from redis import Redis
from redis.backoff import NoBackoff
from redis.client import PubSub
from redis.retry import Retry

from allo import live
from allo.live import channel, publisher
from allo.live.message import EVERYTHING, Message
from reservations import availability, services
from reservations.clock import expiry
from reservations.engine.events import holder_topic
from reservations.exceptions import InsufficientStock
from tests import stock_room
from tests.reservations.test_verbs import hold
from tests.running import wait_for
from tests.shopping import holding
from tests.staff.test_editing import opened
from tests.staff.test_products import LIST
from tests.stock import pass_time, stocked, units

pytestmark = pytest.mark.django_db(transaction=True)

Heard = Callable[[], set[str]]
Said = Callable[..., list[Message]]

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
        subscription.get_message(timeout=30)
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


@pytest.fixture
def said(subscription: PubSub) -> Said:
    """The messages of a topic since the last call, and later ones until one has these numbers."""

    def said(topic: str, *, until: str = "") -> list[Message]:
        live.publish("end:of-it")
        heard: list[Message] = []
        while not (
            any(it.topic == "end:of-it" for it in heard)
            and any(until in it.numbers for it in heard if it.topic == topic)
        ):
            heard += next_messages(subscription)
        return [it for it in heard if it.topic == topic]

    return said


def next_messages(subscription: PubSub, seconds: float = 30) -> list[Message]:
    message = subscription.get_message(timeout=seconds)
    assert message, "nothing was published"
    return channel.unpack(message["data"])


def next_topics(subscription: PubSub, seconds: float = 30) -> set[str]:
    return {it.topic for it in next_messages(subscription, seconds)}


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


def test_a_page_names_the_moment_that_its_newest_hold_was_told_with(
    client: Client, said: Said
) -> None:
    holding(client, stocked(5, product="earlier"))
    reservation = holding(client, stocked(5))
    *_, told = said(holder_topic(reservation.holder))
    checkout = reverse("checkout:checkout", args=[reservation.pk])
    for address in ("/", checkout):
        assert f'/live/?shown={told.at}"' in client.get(address).content.decode()
    services.release(reservation_id=reservation.pk)
    assert f'?shown={told.at}"' not in client.get("/").content.decode()


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
    published = heard()
    assert published >= {f"reservation:{reservation.pk}", holder_topic("session:late")}
    # Of what is freed for one and held by the next at once there is as much as before, but it may
    # come back later.
    assert f"product:{row.product_id}" in published


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

    monkeypatch.setattr("inventory.events.publish_events", broken)
    row = stocked(5)
    assert hold(row).is_pending
    stock_room.receive(inventory_id=row.pk, units=2)
    assert units(row) == (7, 1)
    pass_time(601)
    assert expiry.expire_due().expired == 1
    assert units(row) == (7, 0)


def is_lost(mine: publisher.Publisher) -> bool:
    """Whether it has lost messages and not told that yet."""
    with mine._sending:
        return mine._has_lost


def test_after_messages_were_lost_every_page_requests_all_anew(
    said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish = publisher._publish

    def broken(_messages: object) -> None:
        raise ConnectionError

    monkeypatch.setattr(publisher, "_publish", broken)
    mine = publisher.Publisher()
    mine.add([Message("test:lost", 1)])
    mine.flush()
    monkeypatch.setattr(publisher, "_publish", publish)
    for n in range(2):
        mine.add([Message("test:later", n)])
        mine.flush()
    assert [it.key for it in said(EVERYTHING)] == ["page"]


def test_that_messages_were_lost_is_told_without_a_later_one(
    said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as away:
        away.setattr(publisher, "redis_client", lambda: Redis(port=1, retry=Retry(NoBackoff(), 0)))
        mine = publisher.Publisher()
        mine.add([Message("test:lost", 1)])
        wait_for(lambda: is_lost(mine))
    assert [it.key for it in said(EVERYTHING)] == ["page"]


def test_a_change_of_stock_is_published_in_numbers(said: Said) -> None:
    rows = [stocked(5, warehouse=f"w-{n}") for n in range(2)]
    row = next(row for row in rows if row.pk != row.product_id)

    def sweep() -> None:
        pass_time(601)
        expiry.expire_due()

    moments = []
    for act, numbers in (
        (lambda: stock_room.receive(inventory_id=row.pk, units=2), "7 0"),
        (lambda: hold(row, 3, "session:a"), "7 3"),
        (sweep, "7 0"),
    ):
        act()
        (message,) = said(f"product:{row.product_id}")
        assert (message.key, message.numbers) == (str(row.pk), numbers)
        moments.append(message.at)
    assert moments == sorted(set(moments))
    assert abs(moments[-1] / 1e6 - time.time()) < 60


def test_when_nothing_is_left_the_thread_adds_when_a_hold_may_lapse(said: Said) -> None:
    row = stocked(2)
    topic = f"product:{row.product_id}"
    first, _ = hold(row, 1, "session:a"), hold(row, 1, "session:b")
    lapse = f"{first.expires_at.timestamp():.6f}"
    assert said(topic, until=lapse)[-1].numbers == f"2 2 {lapse}"
    # The other hold is then the first to lapse, though no unit has moved.
    services.renew(reservation_id=first.pk)
    plain, *_, added = said(topic, until="2 2 ")
    assert plain.numbers == "2 2"
    assert added.numbers.startswith("2 2 ")
    assert added.numbers != f"2 2 {lapse}"
    assert added.at == plain.at + 1


def test_what_cannot_be_added_stops_nothing(
    said: Said, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_messages: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(availability, "with_lapses_added", broken)
    mine = publisher.Publisher()
    for n in range(2):
        mine.add([Message("product:1", n + 1, "7", f"2 {n}", follow=True)])
        assert said("product:1", until=f"2 {n}")[-1].at == n + 1
        wait_for(lambda: "no live updates: RuntimeError" in caplog.text)


def test_what_staff_change_of_a_product_is_requested_anew(
    said: Said, admin_client: Client, tmp_path: Path, settings: Any
) -> None:
    settings.MEDIA_ROOT = tmp_path
    product = stocked(5).product
    form = opened(admin_client, product, price="1400")
    question = {"id": product.pk}
    for address, sent in (
        (reverse("admin:catalog_product_change", args=[product.pk]), form),
        (f"{LIST}unpublish/", question),
        (f"{LIST}publish/", question),
    ):
        assert admin_client.post(address, sent).status_code in {302, 303}
        (message,) = said(f"product:{product.pk}")
        assert (message.key, message.numbers) == ("page", "")
    renamed = opened(admin_client, product.category, name="Vessels")
    address = reverse("admin:catalog_category_change", args=[product.category_id])
    assert admin_client.post(address, renamed).status_code == 302
    (message,) = said("categories:all")
    assert (message.key, message.numbers) == ("page", "")


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
            assert next_topics(subscription) == {topic}
            parent.stdin.write(b"\n")
            parent.stdin.flush()
    assert parent.returncode == 0


def test_while_redis_hangs_nobody_waits_and_nothing_piles_up(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        hung = Redis(port=silent.getsockname()[1], socket_timeout=60, retry=Retry(NoBackoff(), 0))
        monkeypatch.setattr(publisher, "redis_client", lambda: hung)
        mine = publisher.Publisher()
        mine.add([Message("product:first", 1)])
        with silent.accept()[0] as connection:
            assert connection.recv(1)
            for n in range(50_000):
                mine.add([Message(f"product:{n}", 1)])
            # The sender still waits for its answer: the callers did not.
            assert mine._sending.locked()
            assert len(mine._waiting) == publisher.MAX_WAITING
    # The sender's end, and the next ones, at a port that nobody listens to.
    mine.flush()
    mine.flush()
    assert caplog.text.count("no live updates") == 1
    monkeypatch.undo()
    # It tells pages of the loss, which no later test is to hear.
    wait_for(lambda: not is_lost(mine))

"""What was told is fanned out once, in order, to those that want it."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event as Signal

import pytest
from django.db import OperationalError, connection, transaction

from allo.outbox.hooks import fanning, services
from allo.outbox.hooks.fanning import fan_out
from allo.outbox.models import Delivery, Event, Told, Webhook
from tests.hooks.hearing import hears, killed
from tests.reservations.test_verbs import hold
from tests.running import wait_for
from tests.server import somebody_waits
from tests.stock import stocked

pytestmark = pytest.mark.django_db


def tell(n: int, kind: str = "stock.low") -> Told:
    at = "2026-01-01T00:00:00Z"
    events = [[kind, "stock:1", at, {"n": f"{n}.{m}"}] for m in "ab"]
    return Told.objects.create(events=json.dumps(events))


def heard() -> list[str]:
    return [event.data["n"] for event in Event.objects.order_by("pk")]


@pytest.mark.parametrize("bound", ["ROWS", "EVENTS"])
def test_a_backlog_is_fanned_out_in_order_and_in_portions(monkeypatch, bound) -> None:
    monkeypatch.setattr(fanning, bound, 3)
    hears("stock.low")
    for n in range(7):
        tell(n)
    portions = [fanning._fan_out_some() for _ in range(5)]
    assert portions == ([3, 3, 1, 0, 0] if bound == "ROWS" else [2, 2, 2, 1, 0])
    assert heard() == [f"{n}.{m}" for n in range(7) for m in "ab"]


def test_a_run_does_not_last_for_a_whole_backlog(monkeypatch) -> None:
    monkeypatch.setattr(fanning, "ROWS", 1)
    monkeypatch.setattr(fanning, "TURN", 0)
    tell(1)
    assert (fan_out(), Told.objects.count()) == (0, 1)
    monkeypatch.setattr(fanning, "TURN", 60)
    tell(2)
    assert (fan_out(), Told.objects.count()) == (2, 0)


def test_those_that_want_it_when_it_is_fanned_out_get_it() -> None:
    ended, stays = hears("stock.low"), hears("stock.low")
    tell(1)
    services.end(ended)
    new = hears("stock.low", "order.paid")
    tell(2, "order.packed")
    assert fan_out() == 2
    assert heard() == ["1.a", "1.b"]
    hearers = Delivery.objects.order_by("pk").values_list("webhook", flat=True)
    assert list(hearers) == [stays.pk, new.pk] * 2


def test_a_delivery_waits_since_its_event() -> None:
    hears()
    hold(stocked(1))
    fan_out()
    delivery = Delivery.objects.get()
    assert delivery.created_at == delivery.event.at


WHEN = "2026-01-01T00:00:00Z"
UNREADABLE = {
    "no JSON": ("", "[["),
    "no list": ("", "5"),
    "of a newer version": ("parcels", "[[1]]"),
    "of a newer engine": ("reservations", '[["?"]]'),
    "without a time": ("", '[["stock.low", "stock:1"]]'),
    "at no time": ("", '[["stock.low", "stock:1", "soon", {}]]'),
    "of nothing": ("", f'[["stock.low", null, "{WHEN}", {{}}]]'),
    "with no text": ("", f'[["stock.low", "stock:1", "{WHEN}", {{"n": "\\u0000"}}]]'),
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_what_cannot_be_read_is_set_aside_and_the_rest_goes_on(case) -> None:
    told_by, events = UNREADABLE[case]
    hears("stock.low")
    tell(1)
    Told.objects.create(told_by=told_by, events=events)
    tell(2)
    assert (fan_out(), Told.objects.count(), Delivery.objects.count()) == (3, 0, 4)
    aside = Event.objects.get(kind="webhook.unread")
    assert (aside.data["told_by"], aside.data["events"]) == (told_by, events)
    assert "Error" in aside.data["error"]
    services.read_again(aside)
    tell(3)
    assert (fan_out(), Event.objects.filter(kind="webhook.unread").count()) == (2, 1)
    assert Delivery.objects.count() == 6


def test_when_the_database_is_in_trouble_nothing_is_set_aside(monkeypatch) -> None:
    hears("stock.low")
    tell(1)
    with monkeypatch.context() as broken:
        broken.setattr(fanning, "_WRITE", "SELECT pg_cancel_backend(pg_backend_pid()), %s")
        with pytest.raises(OperationalError):
            fan_out()
    assert (fan_out(), heard()) == (1, ["1.a", "1.b"])


@contextmanager
def meanwhile(act: Callable[[], object]) -> Iterator[None]:
    """`act` runs in a transaction of another connection, which is committed at the end."""
    acted, goes_on = Signal(), Signal()

    def run() -> None:
        with transaction.atomic():
            act()
            acted.set()
            assert goes_on.wait(60)
        connection.close()

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run)
        try:
            assert acted.wait(60) or running.result(0)
            yield
        finally:
            goes_on.set()
        running.result(60)


@pytest.mark.django_db(transaction=True)
def test_what_was_numbered_before_and_committed_later_is_not_lost() -> None:
    hears("reservation.created")
    first, second = stocked(1, product="vase"), stocked(1, product="bowl")
    with meanwhile(lambda: hold(first)):
        hold(second, 1, "session:b")
        assert fan_out() == 1
        assert Event.objects.get().data["product"] == "bowl"
    assert fan_out() == 1
    assert Event.objects.order_by("pk")[1].data["product"] == "vase"
    assert Delivery.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_one_worker_fans_out_and_staff_who_end_a_webhook_wait_for_it() -> None:
    """Otherwise a later event could overtake an earlier one, and events could wait for a webhook
    that has ended."""
    hook = hears("stock.low")
    tell(1)
    with ThreadPoolExecutor(1) as pool:
        with meanwhile(fan_out):
            tell(2)
            assert (fan_out(), heard()) == (0, [])
            ending = pool.submit(end, hook)
            wait_for(lambda: ending.done() or somebody_waits())
            assert not ending.done()
        assert ending.result(60)
    assert [delivery.state for delivery in Delivery.objects.all()] == ["given up"] * 2
    assert (fan_out(), heard()) == (1, ["1.a", "1.b"])


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_killed_while_it_fans_out_nothing_is_lost_and_nothing_comes_twice() -> None:
    hears("stock.low")
    tell(1)
    killed("before_events_are_committed")
    assert (Told.objects.count(), Event.objects.count()) == (1, 0)
    assert (fan_out(), fan_out(), heard()) == (1, 0, ["1.a", "1.b"])


def end(hook: Webhook) -> bool:
    try:
        return services.end(hook)
    finally:
        connection.close()

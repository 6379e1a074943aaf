"""Two beats: what they both queue is done once in its period."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from celery.beat import ScheduleEntry, Scheduler
from celery.schedules import crontab, schedule
from django.db import connection
from django.utils import timezone

from allo import celery
from allo.web.worker import IMPATIENT, ask, broker
from reservations.clock import turns
from reservations.clock.tasks import expire_due
from reservations.models import ClockRun, Sweep
from tests.running import PATIENCE
from tests.stock import all_at_once

pytestmark = pytest.mark.django_db(transaction=True)

# In seconds, of the sweep.
PERIOD = 1000


@pytest.fixture
def _long_period(settings) -> None:
    """Much longer than any step of a test takes."""
    usual = settings.CELERY_BEAT_SCHEDULE
    sweep = usual["expire-due"] | {"schedule": PERIOD}
    settings.CELERY_BEAT_SCHEDULE = usual | {"expire-due": sweep}


def sweeps(**queued: Any) -> int:
    """How many there are once the worker has done what was queued."""
    expire_due.apply(**queued, throw=True)
    return Sweep.objects.count()


def by_beat() -> int:
    return sweeps(headers={"celery_beat_task": True})


def began(seconds: float) -> None:
    """So long ago."""
    ClockRun.objects.update(began_at=timezone.now() - timedelta(seconds=seconds))


@pytest.mark.usefixtures("_long_period")
def test_what_two_beats_queue_is_done_once_in_a_period() -> None:
    assert [by_beat(), by_beat()] == [1, 1]
    began(0.7 * PERIOD)
    assert by_beat() == 1
    # The last one began late, this one in time.
    began(0.8 * PERIOD)
    assert [by_beat(), by_beat()] == [2, 2]
    # The database's clock was set back.
    began(-4 * PERIOD)
    assert [by_beat(), by_beat()] == [3, 3]


def test_what_an_event_queues_is_always_done() -> None:
    assert [by_beat(), sweeps(), sweeps()] == [1, 2, 3]
    expire_due()
    assert Sweep.objects.count() == 4


@pytest.mark.usefixtures("_long_period")
def test_of_eight_workers_at_once_one_has_the_turn() -> None:
    def take(_: int) -> bool:
        try:
            return turns.take(expire_due.name)
        finally:
            connection.close()

    for _ in range(3):
        assert Counter(all_at_once(8, take)) == {False: 7, True: 1}
        began(PERIOD)


def length() -> int:
    """Of the queue of this test process."""
    with celery.app.connection_for_read() as connected:
        channel: Any = connected.default_channel
        return int(channel.queue_declare(celery.app.conf.task_default_queue).message_count)


def test_while_no_worker_takes_anything_the_queue_grows_to_a_bound(monkeypatch, caplog) -> None:
    for name in ("socket_timeout", "socket_connect_timeout"):
        monkeypatch.setitem(IMPATIENT, name, PATIENCE)
    monkeypatch.setattr(broker, "_producer", None)
    before = length()
    monkeypatch.setattr(celery, "LONGEST_QUEUE", before + 2)
    app: Any = celery.app
    entry = ScheduleEntry("x", expire_due.name, schedule=schedule(10), app=app)
    beat = Scheduler(app, lazy=True)
    assert ask(expire_due)
    for _ in range(2):
        beat.apply_async(entry, producer=beat.producer, advance=False)
    assert length() == before + 2
    assert not ask(expire_due)
    assert length() == before + 2
    assert caplog.text.count("expire_due was not queued: no worker takes any task") == 2


def test_each_task_of_the_clock_has_a_period(settings) -> None:
    periods = {
        name: turns._period(entry["task"]) for name, entry in settings.CELERY_BEAT_SCHEDULE.items()
    }
    assert periods["expire-due"] == timedelta(seconds=10)
    assert periods["prune"] == timedelta(hours=1)
    assert periods["audit-stock"] == timedelta(days=1)
    by_hand = {"task": "twice", "schedule": crontab(minute="7,37")}
    settings.CELERY_BEAT_SCHEDULE = {"twice": by_hand}
    assert turns._period("twice") == timedelta(minutes=30)

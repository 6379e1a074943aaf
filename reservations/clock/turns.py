"""Lets two beats run without harm: what they queue is done once in each of its periods."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from celery.schedules import crontab
from django.conf import settings
from django.db import connection

# One statement, so only one of two workers gets the turn. A worker that waited for the other finds
# a time later than its own `now()`, which counts as taken. Only a time far in the future means that
# the clock was set back.
TAKE_A_TURN = """
    INSERT INTO reservations_clockrun AS last (task, began_at) VALUES (%(task)s, now())
    ON CONFLICT (task) DO UPDATE SET began_at = now()
    WHERE last.began_at <= now() - make_interval(secs => %(least)s)
        OR last.began_at > now() + make_interval(secs => %(least)s)
    RETURNING true
"""
# A task may begin late because the worker was busy, and the next one in time. More than half, so
# that two beats cannot both have their own turns.
PUNCTUALITY = 0.75


def take(task: str) -> bool:
    """Whether this task may run now. Call it outside a transaction: the turn is taken before the
    work."""
    least = PUNCTUALITY * _period(task).total_seconds()
    with connection.cursor() as cursor:
        cursor.execute(TAKE_A_TURN, {"task": task, "least": least})
        return cursor.fetchone() is not None


def _period(task: str) -> timedelta:
    entries: Iterable[dict[str, Any]] = settings.CELERY_BEAT_SCHEDULE.values()
    (schedule,) = (entry["schedule"] for entry in entries if entry["task"] == task)
    if isinstance(schedule, crontab):
        of_a_day: Any = schedule
        return timedelta(days=1) / (len(of_a_day.hour) * len(of_a_day.minute))
    return timedelta(seconds=schedule)

"""What the clock deletes from the tables of Django and axes, and in which portions."""

import re
from datetime import timedelta

import pytest
from axes.models import AccessAttempt, AccessLog
from django.apps import apps
from django.contrib.sessions.models import Session
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from allo import pruning
from allo.celery import app as celery_app
from allo.tasks import prune
from reservations.clock import pruning as of_reservations
from reservations.models import AuditRun
from tests.running import PROJECT

pytestmark = pytest.mark.django_db


def test_expired_sessions_are_deleted() -> None:
    now = timezone.now()
    for key, hours in (("gone", -1), ("live", 1)):
        Session.objects.create(session_key=key, expire_date=now + timedelta(hours=hours))
    prune()
    assert Session.objects.get().session_key == "live"


def test_sign_ins_and_attempts_are_kept_for_ninety_days() -> None:
    for model, more in ((AccessAttempt, {"failures_since_start": 1}), (AccessLog, {})):
        for days in (89, 91):
            row = model.objects.create(username=str(days), user_agent="", **more)
            ago = timezone.now() - timedelta(days=days)
            model.objects.filter(pk=row.pk).update(attempt_time=ago)
    prune()
    assert [model.objects.get().username for model in (AccessAttempt, AccessLog)] == ["89", "89"]


def test_the_clock_runs_every_task_that_prunes(settings) -> None:
    celery_app.loader.import_default_modules()
    scheduled = {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    assert scheduled <= celery_app.tasks.keys()
    assert scheduled >= {name for name in celery_app.tasks if "prune" in name or "remove_" in name}
    assert prune.name in scheduled


def growing() -> list[tuple[list[str], str]]:
    """The tables of each row of the table of what grows, and what bounds them."""
    page = (PROJECT / "docs/running-it.md").read_text()
    section = page.partition("## What grows\n")[2].partition("\n## ")[0]
    cells = [line.strip("| ").split(" | ") for line in section.splitlines() if line[:2] == "| "]
    tables = [(re.findall(r"`(\w+_\w+)`", first), bound) for first, bound in cells[1:]]
    return [row for row in tables if row[0]]


def parts_of(table: str) -> set[str]:
    """The tables whose rows are deleted with this one's."""
    models = [model for model in apps.get_models() if model._meta.db_table == table]
    return {
        part.field.model._meta.db_table for model in models for part in model._meta.related_objects
    }


def test_each_table_is_bounded_by_an_age_or_is_named_as_history() -> None:
    named = [table for tables, _ in growing() for table in tables]
    there = set(connection.introspection.table_names())
    assert sorted(named) == sorted(there)


def test_the_clock_looks_for_what_is_too_old_in_each_table_with_an_age(settings) -> None:
    celery_app.loader.import_default_modules()
    prunes = [name for name in celery_app.tasks if "prune" in name or "remove_" in name]
    with CaptureQueriesContext(connection) as queries:
        for name in prunes:
            celery_app.tasks[name]()
    asked = {table for query in queries for table in re.findall(r'FROM "(\w+)"', query["sql"])}
    aged = [tables for tables, bound in growing() if re.match(r"`|deleted", bound)]
    assert len(aged) == 14
    for table, *parts in aged:
        assert table in asked
        goes = asked | parts_of(table)
        for part in parts:
            assert part in goes
            goes |= parts_of(part)
    for names in re.findall(r"`([A-Z_]+)`", " ".join(bound for _, bound in growing())):
        assert hasattr(settings, names), names


def test_audits_are_kept_for_a_year() -> None:
    for days in (364, 366):
        ago = timezone.now() - timedelta(days=days)
        AuditRun.objects.create(started_at=ago, finished_at=ago, findings=[str(days)])
    of_reservations.prune()
    assert AuditRun.objects.get().findings == ["364"]


def test_no_statement_deletes_more_than_a_portion(monkeypatch) -> None:
    monkeypatch.setattr(pruning, "PORTION", 2)
    for n in range(5):
        Session.objects.create(session_key=str(n), expire_date=timezone.now())
    with CaptureQueriesContext(connection) as queries:
        assert pruning.delete_in_portions(Session.objects.all()) == 5
    deletes = [query["sql"] for query in queries if query["sql"].startswith("DELETE")]
    # Of the browsers that are signed in by these sessions, and of the sessions.
    assert [sql.count(",") + 1 for sql in deletes] == [2, 2, 2, 2, 1, 1]
    assert not Session.objects.exists()

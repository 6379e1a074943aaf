from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from allo.outbox.models import TRIES, Message
from allo.site import health
from allo.web import address
from reservations.models import Sweep
from tests.outbox.letters import written

pytestmark = pytest.mark.django_db


def test_livez_needs_no_other_service(client, django_assert_num_queries) -> None:
    with django_assert_num_queries(0):
        assert client.get("/livez").status_code == 200


@pytest.fixture(autouse=True)
def _knows_all_clients() -> None:
    """What another test of this process has met is not this shop's."""
    address._met_unknown.clear()


def test_readyz_reports_every_service(client) -> None:
    ago = timezone.now() - timedelta(seconds=5)
    Sweep.objects.create(started_at=ago, finished_at=ago, expired=0)
    limited("5min")
    response = client.get("/readyz")
    report = response.json()
    assert response.status_code == 200
    assert 5 <= report.pop("last_sweep_seconds_ago") < 60
    assert report == {
        "ready": True,
        "database": "ok",
        "storage": "ok",
        "transaction_timeout": "5min",
        "unapplied_migrations": 0,
        "mail_late_seconds": None,
        "redis": "ok",
        "warnings": [],
    }
    assert "no-store" in response.headers["Cache-Control"]


@pytest.mark.parametrize("limit", ["0", None])
def test_a_database_that_limits_no_transaction_is_warned_of(client, monkeypatch, limit) -> None:
    """It is switched off, or the server is older than PostgreSQL 17 and knows no such setting."""
    limited("0")
    if limit is None:
        unknown = health.SERVER.replace("transaction_timeout", "transaction_timeout_of_18")
        monkeypatch.setattr(health, "SERVER", unknown)
    report = client.get("/readyz").json()
    assert (report["ready"], report["transaction_timeout"]) == (True, limit)
    assert report["warnings"] == [health.FREEZES]


def limited(limit: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL transaction_timeout = '{limit}'")


def test_before_the_first_sweep_it_is_ready(client) -> None:
    assert client.get("/readyz").json()["last_sweep_seconds_ago"] is None


def test_mail_that_waits_for_over_fifteen_minutes_is_reported(client) -> None:
    written("new", minutes=14)
    given_up = written("given up", days=2)
    Message.objects.filter(pk=given_up.pk).update(tries=TRIES)
    assert client.get("/readyz").json()["mail_late_seconds"] is None
    written("late", minutes=16)
    response = client.get("/readyz")
    assert 960 <= response.json()["mail_late_seconds"] < 1000
    assert response.status_code == 200


def test_without_redis_it_is_ready_and_says_so(client, without_redis) -> None:
    response = client.get("/readyz")
    assert response.status_code == 200
    assert response.json()["redis"] == "ConnectionError"


def test_with_a_migration_to_apply_it_is_not_ready(client) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM django_migrations WHERE (app, name) IN"
            " (SELECT app, max(name) FROM django_migrations WHERE app = 'checkout' GROUP BY app)"
        )
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["unapplied_migrations"] == 1

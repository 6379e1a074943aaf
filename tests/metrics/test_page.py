"""`/metrics`: what it has, who may read it, and what it costs."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from allo.live.rooms import store
from allo.outbox.models import Told
from allo.redis_client import redis_client
from reservations import services
from reservations.clock.expiry import expire_due
from reservations.engine.commands import Holder
from reservations.exceptions import InsufficientStock, ReservationExpired
from reservations.models import AuditRun, Reservation, Sweep
from reservations.room_keeping import OPEN
from tests.database.conftest import connected
from tests.metrics.counting import Sample, counting
from tests.stock import pass_time, stocked

pytestmark = pytest.mark.django_db

TOKEN = "t" * 19 + "!"


def read(client, **headers) -> dict[tuple[str, ...], float]:
    """The values, by name and the values of the labels."""
    response = client.get("/metrics", **headers)
    assert response.status_code == 200, response.content
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(response.content.decode())
        for sample in family.samples
    }


def hold(row, number: int = 1, *, quantity: int = 1) -> Reservation:
    return services.reserve(
        product_id=row.product_id, quantity=quantity, holder=Holder(f"visitor:{number}")
    )


def test_it_says_how_the_shop_is(client) -> None:
    row = stocked(9)
    hold(row, 1, quantity=3)
    pass_time(700)
    hold(row, 2)
    ago = timezone.now() - timedelta(seconds=500)
    Sweep.objects.create(started_at=ago, finished_at=ago, expired=2, max_lateness_seconds=7)
    AuditRun.objects.create(books="money", started_at=ago, finished_at=ago, findings=["a", "b"])
    found = read(client)
    assert found["allo_delivery_late_seconds",] == 0
    assert found["allo_units", "held"] == 4
    assert found["allo_units", "available"] == 5
    assert found["allo_overdue_holds",] == 1
    assert 100 <= found["allo_overdue_seconds",] < 200
    assert 500 <= found["allo_sweep_age_seconds",] < 600
    assert found["allo_sweep_lateness_seconds",] == 7
    assert 500 <= found["allo_audit_age_seconds", "money"] < 600
    assert found["allo_audit_findings", "money"] == 2
    assert ("allo_audit_findings", "stock") not in found
    assert found["allo_money_unsettled", "charges"] == found["allo_waiting_entries",] == 0
    assert found["allo_database_up",] == found["allo_redis_up",] == 1
    Told.objects.create(events="[]", created_at=timezone.now() - timedelta(seconds=1000))
    assert 1000 <= read(client)["allo_delivery_late_seconds",] < 1100


def test_rooms_are_counted_with_those_who_wait_in_them(client) -> None:
    opens_at = timezone.now() + timedelta(minutes=1)
    store.run(store.open_room(7, opens_at=opens_at, back="/", page=b"page"))
    for visitor in ("a", "b"):
        store.run(store.join(7, visitor=visitor, network=visitor))
    redis_client().sadd(OPEN, 7, 8)
    try:
        found = read(client)
    finally:
        store.run(store.close(7, "over"))
        redis_client().srem(OPEN, 7, 8)
    assert found["allo_rooms",] == 1
    assert found["allo_room_visitors",] == 2


def test_it_asks_as_much_of_a_full_shop_as_of_an_empty_one(client) -> None:
    row = stocked(90)
    with CaptureQueriesContext(connection) as empty:
        read(client)
    for number in range(20):
        hold(row, number)
    pass_time(700, holder__endswith="7")
    with CaptureQueriesContext(connection) as full:
        read(client)
    assert len(full) == len(empty) == 1


@pytest.mark.parametrize(
    ("token", "asked", "status"),
    [
        ("", ("127.0.0.1", {}), 200),
        ("", ("::1", {}), 200),
        ("", ("192.0.2.7", {}), 401),
        ("", ("", {}), 401),
        ("", ("127.0.0.1", {"X-Forwarded-For": "192.0.2.7"}), 401),
        ("", ("127.0.0.1", {"X-Forwarded-For": "127.0.0.1"}), 401),
        ("", ("127.0.0.1", {"X-Forwarded-Proto": "https"}), 401),
        ("", ("127.0.0.1", {"Forwarded": "for=192.0.2.7"}), 401),
        ("", ("127.0.0.1", {"Via": "1.1 proxy"}), 401),
        ("", ("192.0.2.7", {"Authorization": "Bearer "}), 401),
        ("", ("192.0.2.7", {"Authorization": f"Bearer {TOKEN}"}), 401),
        (TOKEN, ("192.0.2.7", {"Authorization": f"Bearer {TOKEN}"}), 200),
        (TOKEN, ("192.0.2.7", {"Authorization": f"Bearer {TOKEN}x"}), 401),
        (TOKEN, ("192.0.2.7", {"Authorization": "Bearer tökén"}), 401),
        (TOKEN, ("192.0.2.7", {"Authorization": f"Basic {TOKEN}"}), 401),
        (TOKEN, ("192.0.2.7", {}), 401),
        (TOKEN, ("127.0.0.1", {}), 200),
        (TOKEN, ("127.0.0.1", {"X-Forwarded-For": "127.0.0.1"}), 401),
    ],
)
def test_only_this_machine_or_a_token_reads_it(client, settings, token, asked, status) -> None:
    peer, sent = asked
    settings.METRICS_TOKEN = token
    response = client.get("/metrics", REMOTE_ADDR=peer, headers=sent)
    assert response.status_code == status
    assert "no-store" in response.headers["Cache-Control"]
    if status == 401:
        assert response.headers["WWW-Authenticate"] == 'Bearer realm="metrics"'
        assert "METRICS_TOKEN" in response.content.decode()
        assert "allo_" not in response.content.decode()
    assert client.post("/metrics", REMOTE_ADDR=peer, headers=sent).status_code == 405


def test_over_https_prometheus_is_not_redirected(client) -> None:
    with override_settings(SECURE_SSL_REDIRECT=True):
        assert client.get("/metrics").status_code == 200


def test_without_redis_it_says_so(client, without_redis) -> None:
    found = read(client)
    assert found["allo_redis_up",] == 0
    assert ("allo_rooms",) not in found
    assert found["allo_units", "held"] == 0


@pytest.mark.django_db(transaction=True)
def test_without_a_database_it_still_says_what_was_counted(client) -> None:
    with connected({}, HOST="/nowhere"):
        found = read(client)
    assert found["allo_database_up",] == 0
    assert ("allo_units", "held") not in found
    assert "allo_batch_commands_count" in {name for name, *_ in found}


@pytest.mark.django_db(transaction=True)
def test_verbs_are_counted_by_what_became_of_them_after_the_commit() -> None:
    row = stocked(2)
    happened = [("allo_reservations_total", {"happened": kind}) for kind in
                ("created", "confirmed", "released", "expired")]  # fmt: skip
    verbs = [("allo_verbs_total", {"verb": verb, "outcome": outcome}) for verb, outcome in (
        ("reserve", "ok"), ("reserve", "insufficient_stock"), ("confirm", "ok"),
        ("confirm", "reservation_expired"), ("release", "ok"), ("release", "not_found"),
    )]  # fmt: skip
    batches: list[Sample] = [("allo_batch_commands_count", {}), ("allo_lock_seconds_count", {})]
    with counting(*happened, *verbs, *batches) as grown:
        sold, dead = hold(row, 1), hold(row, 2)
        with pytest.raises(InsufficientStock):
            hold(row, 3)
        services.confirm(reservation_id=sold.pk)
        pass_time(700)
        expire_due()
        with pytest.raises(ReservationExpired):
            services.confirm(reservation_id=dead.pk)
    assert grown[:4] == [2, 1, 0, 1]
    assert grown[4:] == [2, 1, 1, 1, 0, 0, 5, 5]

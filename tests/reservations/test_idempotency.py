"""A key of a client acts once, and every retry gets the same reply."""

import json
from dataclasses import replace
from uuid import UUID

import pytest
from django.db import connection

from inventory.models import Inventory
from reservations import services
from reservations.clock.audit import audit_stock
from reservations.engine import transactions as engine
from reservations.engine.commands import Holder
from reservations.engine.idempotency import Once, Outcome, Reply
from reservations.engine.locks import Space, number
from reservations.exceptions import Busy, IdempotencyConflict, InFlight, ReservationError
from reservations.models import IdempotencyKey, Reservation
from tests.stock import all_at_once, stocked

pytestmark = pytest.mark.django_db(transaction=True)


def render(outcome: Outcome) -> Reply:
    if isinstance(outcome, ReservationError):
        return Reply(409, json.dumps({"code": outcome.code}))
    assert isinstance(outcome, Reservation)
    return Reply(201, json.dumps({"id": str(outcome.pk), "status": outcome.status}))


def once(key: str = "k", client: str = "session:a", request: bytes = b"1") -> Once:
    return Once(client=client, endpoint="reserve", key=key, request=request, render=render)


def hold(row: Inventory, once: Once, quantity: int = 1) -> Reply:
    return services.reserve.once(
        once, product_id=row.product_id, quantity=quantity, holder=Holder(once.client)
    )


def held(answer: Reply) -> UUID:
    return UUID(json.loads(answer.body)["id"])


def test_a_replay_returns_the_first_reply_and_acts_no_more() -> None:
    row = stocked(5)
    first, again = hold(row, once()), hold(row, once())
    assert (first.status, first.replayed) == (201, False)
    assert (again.status, again.replayed, again.body) == (201, True, first.body)
    row.refresh_from_db()
    assert row.reserved_units == 1
    stored = IdempotencyKey.objects.get()
    assert str(stored.reservation_id) == json.loads(first.body)["id"]


def test_a_final_refusal_is_stored_and_replayed_when_stock_is_back() -> None:
    row = stocked(1)
    other = hold(row, once("other", "session:b"))
    assert hold(row, once()).status == 409
    services.release(reservation_id=held(other))
    assert hold(row, once()) == Reply(409, '{"code": "insufficient_stock"}', replayed=True)
    assert hold(row, once("fresh")).status == 201


def test_another_request_under_the_same_key_is_a_conflict() -> None:
    row = stocked(5)
    hold(row, once())
    with pytest.raises(IdempotencyConflict):
        hold(row, once(request=b"2"))
    row.refresh_from_db()
    assert row.reserved_units == 1


def test_keys_of_different_clients_are_independent() -> None:
    row = stocked(5)
    answers = {hold(row, once(client=client)).body for client in ("session:a", "session:b")}
    assert len(answers) == 2


def test_one_key_at_two_endpoints_acts_twice() -> None:
    row = stocked(5)
    first = hold(row, once())
    release = replace(once(), endpoint="release")
    assert services.release.once(release, reservation_id=held(first)).replayed is False
    assert not Reservation.objects.pending().exists()


def test_confirm_release_and_renew_replay_too() -> None:
    row = stocked(5)
    for verb in (services.confirm, services.release, services.renew):
        reservation_id = held(hold(row, once(verb.name, f"session:{verb.name}")))
        same = Once("session:a", verb.name, "k", b"", render)
        first, again = (verb.once(same, reservation_id=reservation_id) for _ in range(2))
        assert (again.body, again.replayed) == (first.body, True)


def test_a_transient_refusal_is_not_stored(settings) -> None:
    settings.LOCK_TIMEOUT_MS = 300
    row = stocked(5)
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT 1 FROM inventory_inventory FOR UPDATE")
        try:
            (outcome,) = all_at_once(1, lambda _: hold(row, once()))
        finally:
            cursor.execute("ROLLBACK")
    assert isinstance(outcome, Busy)
    assert not IdempotencyKey.objects.exists()
    assert hold(row, once()).status == 201


def test_a_key_locked_elsewhere_is_in_flight_and_delays_no_other_command(monkeypatch) -> None:
    monkeypatch.setattr(engine, "IN_FLIGHT_SECONDS", 0.2)
    row = stocked(5)
    key = number(Space.KEY, *once().name)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [key])
        try:
            outcomes = all_at_once(2, lambda n: hold(row, once("k" if n == 0 else "free")))
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [key])
    assert isinstance(outcomes[0], InFlight)
    assert isinstance(outcomes[1], Reply)
    assert hold(row, once()).replayed is False


def test_a_reply_that_cannot_be_rendered_leaves_neither_key_nor_hold() -> None:
    row = stocked(5)

    def broken(outcome: Outcome) -> Reply:
        raise RuntimeError("no words")

    with pytest.raises(RuntimeError):
        hold(row, Once("session:a", "reserve", "k", b"1", broken))
    assert not IdempotencyKey.objects.exists()
    assert not Reservation.objects.exists()
    assert audit_stock() == []

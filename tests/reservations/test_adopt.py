"""Signing in: what the browser holds becomes the account's, in one transaction."""

from uuid import uuid4

import pytest
from django.db import IntegrityError, connection
from django.test import Client

from allo.postgresql import trips
from reservations import services
from reservations.clock.audit import audit_stock
from reservations.engine.adopting import Adopt
from reservations.engine.commands import Change, Holder, Release, Reserve
from reservations.engine.events import holder_topic, reservation_topic
from reservations.engine.locks import Patience
from reservations.engine.transactions import _transact
from reservations.exceptions import Busy
from reservations.models import AdoptedHolder, Reservation
from tests.bags import pay
from tests.reservations.test_verbs import hold
from tests.shopping import holding, press
from tests.stock import pass_time, stocked, units

pytestmark = pytest.mark.django_db(transaction=True)

VISITOR, ACCOUNT = f"visitor:{uuid4()}", "user:7"
NETWORK = "192.0.2.1/32"


def adopt() -> list[Reservation]:
    return services.adopt(account=ACCOUNT, visitor=VISITOR)


def adopting(*rows: int, account: str = ACCOUNT) -> Adopt:
    return Adopt(rows=rows, account=account, visitor=VISITOR)


def holders() -> dict[str, str]:
    """Of each reservation: its state, by its holder and row."""
    found = Reservation.objects.values_list("holder", "inventory__warehouse__code", "status")
    return {f"{holder.split(':')[0]} {code}": status for holder, code, status in found}


def test_what_a_visitor_holds_is_the_accounts_after_one_transaction(settings, monkeypatch) -> None:
    rows = [stocked(5, warehouse=f"w-{n}") for n in range(6)]
    services.release(reservation_id=hold(rows[5], 1, VISITOR).pk)
    held = [hold(row, n, VISITOR, NETWORK) for n, row in enumerate(rows[:5], 1)]
    _transact([pay(held[:1])], Patience.BRIEF)
    settings.RESERVATION_MAX_LIVE = 2
    made = []

    def run(statements: list[trips.Statement]) -> list[trips.Rows]:
        made.append(len(statements))
        return was(statements)

    was = trips.run
    monkeypatch.setattr(trips, "run", run)
    adopted = adopt()
    assert len(made) == 2, "the locks with what is read under them, and the write with its commit"
    assert {each.pk for each in adopted} == {each.pk for each in held}
    now = Reservation.objects.in_bulk([each.pk for each in held])
    for before in held:
        after = now[before.pk]
        assert (after.holder, after.status) == (ACCOUNT, "pending")
        assert (after.address, after.quantity) == (NETWORK, before.quantity)
    assert now[held[0].pk].paying_since
    ended = Reservation.objects.get(status="released")
    assert ended.holder == VISITOR, "a final state never changes"
    assert [*AdoptedHolder.objects.values_list("holder", "account")] == [(VISITOR, ACCOUNT)]
    assert adopt() == []
    assert audit_stock() == []


def test_the_topics_of_both_hear_of_it(monkeypatch) -> None:
    sent: list = []
    held = hold(stocked(5), 1, VISITOR)
    monkeypatch.setattr("inventory.events.publish_events", sent.extend)
    adopt()
    heard = [message.topic for event in sent for message in event.messages]
    assert heard == [holder_topic(ACCOUNT), holder_topic(VISITOR), reservation_topic(held.pk)]


def test_what_both_hold_of_one_row_stays_two_reservations() -> None:
    both, other = stocked(5), stocked(5, warehouse="del-01")
    hold(both, 1, ACCOUNT)
    mine, more = hold(both, 2, VISITOR), hold(other, 1, VISITOR)
    assert adopt() == [more]
    mine.refresh_from_db()
    assert (mine.holder, mine.status) == (VISITOR, "pending")
    # When the account's own is over, signing in again takes it.
    services.release(reservation_id=Reservation.objects.get(holder=ACCOUNT, inventory=both).pk)
    assert adopt() == [mine]
    assert units(both) == (5, 2)
    assert audit_stock() == []


def test_what_has_run_out_is_neither_adopted_nor_in_the_way() -> None:
    row, other = stocked(5), stocked(5, warehouse="del-01")
    accounts, visitors = hold(row, 1, ACCOUNT), hold(other, 1, VISITOR)
    pass_time(601)
    living = hold(row, 2, VISITOR)
    assert adopt() == [living]
    assert services.get(reservation_id=accounts.pk).status == "expired"
    gone = services.get(reservation_id=visitors.pk)
    assert (gone.status, gone.holder) == ("expired", VISITOR)
    assert audit_stock() == []


def reserve(row: int, quantity: int, name: str) -> Reserve:
    return Reserve(rows=(row,), quantity=quantity, holder=Holder(name))


def test_one_batch_may_hold_change_end_and_adopt() -> None:
    """In any order, each as the one before it left things: what is written in one trip."""
    made, changed, ended, freed = (stocked(9, warehouse=f"w-{n}") for n in range(4))
    to_change, to_end = hold(changed, 1, VISITOR), hold(ended, 1, VISITOR)
    accounts, next_one = hold(freed, 1, ACCOUNT), hold(freed, 2, VISITOR)
    rows = tuple(row.pk for row in (made, changed, ended, freed))

    def of(kind, held: Reservation, **more):
        return kind(rows=(held.inventory_id,), reservation_ids=(held.pk,), **more)

    outcomes = _transact(
        [
            reserve(made.pk, 1, VISITOR),
            of(Change, to_change, quantity=3, holder=Holder(VISITOR)),
            of(Release, accounts),
            adopting(*rows),
            of(Release, to_end),
            reserve(ended.pk, 4, ACCOUNT),
            reserve(made.pk, 2, VISITOR),
            adopting(*rows, account="user:8"),
        ],
        Patience.NONE,
    )
    assert not [outcome for outcome in outcomes if isinstance(outcome, Exception)]
    rows_now = Reservation.objects.values_list("inventory", "holder", "quantity", "status")
    assert sorted(rows_now.order_by()) == sorted(
        [
            (made.pk, ACCOUNT, 1, "pending"),
            (made.pk, "user:8", 2, "pending"),
            (changed.pk, ACCOUNT, 3, "pending"),
            # It ended before anything was written, so it never was the account's.
            (ended.pk, VISITOR, 1, "released"),
            (ended.pk, ACCOUNT, 4, "pending"),
            (freed.pk, ACCOUNT, 1, "released"),
            (freed.pk, ACCOUNT, 2, "pending"),
        ]
    )
    next_one.refresh_from_db()
    assert next_one.holder == ACCOUNT
    assert AdoptedHolder.objects.get().account == ACCOUNT, "the first keeps the name"
    assert audit_stock() == []


def test_a_visitor_who_goes_on_reserving_is_looked_at_again_but_not_for_ever(monkeypatch) -> None:
    held = hold(stocked(5), 1, VISITOR)
    places = services._places_of
    outdated: list[list[Reservation]] = [[], []]
    monkeypatch.setattr(
        services, "_places_of", lambda name: outdated.pop() if outdated else places(name)
    )
    assert adopt() == [held]
    other = hold(stocked(5, warehouse="del-01"), 1, VISITOR)
    outdated[:] = [[], [], []]
    with pytest.raises(Busy):
        adopt()
    other.refresh_from_db()
    assert other.holder == VISITOR


def test_an_account_has_what_its_browsers_held_on_its_other_devices(
    client, django_user_model, django_assert_num_queries
) -> None:
    """Ended reservations too, which keep the browser as their holder; others' never."""
    row = stocked(5)
    ended, live = holding(client, row), holding(client, stocked(5, product="reef"))
    press(client, ended, "cancel")
    asha = django_user_model.objects.create_user("asha")
    services.adopt(account=f"user:{asha.pk}", visitor=live.holder)
    services.adopt(account=f"user:{asha.pk}", visitor=f"visitor:{uuid4()}")
    assert AdoptedHolder.objects.get().holder == live.holder, "the other never held anything"
    device, other = Client(), Client()
    device.force_login(asha)
    other.force_login(django_user_model.objects.create_user("ravi"))
    device.get("/reservations/")
    # The session, the account, its browsers; then as for any shopper.
    with django_assert_num_queries(6):
        page = device.get("/reservations/").context["page"]
    assert [each.pk for each in page] == [live.pk, ended.pk]
    assert device.get(f"/checkout/{ended.pk}/").status_code == 200
    assert device.get(f"/api/reservations/{live.pk}").status_code == 200
    assert list(other.get("/reservations/").context["page"]) == []
    assert other.get(f"/checkout/{ended.pk}/").status_code == 404
    # The browser without the session has its ended ones by its cookie, and what it holds next.
    assert [each.pk for each in client.get("/reservations/").context["page"]] == [ended.pk]
    again = holding(client, row, 2)
    assert again.holder == live.holder
    assert again in device.get("/reservations/").context["page"]


def test_the_database_keeps_a_browser_with_its_first_account() -> None:
    hold(stocked(5), 1, VISITOR)
    adopt()
    with pytest.raises(IntegrityError, match="adopted_once"), connection.cursor() as cursor:
        cursor.execute("UPDATE reservations_adoptedholder SET account = 'user:8'")

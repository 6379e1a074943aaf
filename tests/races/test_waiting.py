"""Many who wait, are served, reserve and leave at once: the list is kept, and what is seen when a
lock or the gate is gone."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from threading import Event, Thread
from unittest.mock import Mock

import pytest
from django.db import connection
from django.utils import timezone

from inventory.models import Inventory
from reservations import services
from reservations.clock.audit import audit_stock
from reservations.engine.stock import Stock
from reservations.exceptions import Busy, InsufficientStock, WaitingList
from reservations.models import Reservation, WaitingEntry
from reservations.waiting import lists
from reservations.waiting import services as waiting
from tests import stock_room
from tests.reservations.test_verbs import hold
from tests.running import PATIENCE, wait_for
from tests.stock import all_at_once, stocked
from tests.waiting import joined, now, offer_of

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.race,
    pytest.mark.usefixtures("unhurried"),
]

WAITS = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"


@pytest.fixture
def _by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is served but by the test."""
    monkeypatch.setattr("inventory.events.serve_soon", lambda _products: None)


def broken() -> set[str]:
    return {finding.invariant for finding in audit_stock()}


@pytest.mark.usefixtures("_by_hand")
def test_servers_at_once_make_each_offer_once_in_order_and_never_without_its_mail(
    monkeypatch,
) -> None:
    row = stocked(5)
    held = hold(row, 5)
    entries = [joined(row, f"n{n}") for n in range(8)]
    services.release(reservation_id=held.pk)
    with monkeypatch.context() as no_mail:
        no_mail.setattr("reservations.waiting.mail.offer_letter", Mock(side_effect=RuntimeError))
        with pytest.raises(RuntimeError):
            waiting.serve(row.product_id)
    assert {now(entry)[0] for entry in entries} == {"waiting"}
    made = all_at_once(6, lambda _: waiting.serve(row.product_id))
    assert Counter(made) == {0: 5, 5: 1}
    assert [now(entry)[0] for entry in entries] == ["offered"] * 5 + ["waiting"] * 3
    assert broken() == set()


@pytest.mark.parametrize("gate", [True, False])
def test_what_is_given_back_during_a_rush_goes_to_the_list(monkeypatch, gate) -> None:
    """The real thread serves. Without the gate, and without that thread, the rush takes some of it,
    and the audit sees."""
    if not gate:
        monkeypatch.setattr(Stock, "is_for_list", property(lambda _stock: False))
        # Whatever is not taken is left for the last, who comes when all is given back.
        monkeypatch.setattr("inventory.events.serve_soon", lambda _products: None)
    row = stocked(6)
    held = [hold(row, 1, f"session:{n}") for n in range(6)]
    entries = [joined(row, f"n{n}") for n in range(6)]
    taken: list[Reservation] = []

    def give_back_or_take(caller: int) -> None:
        for each in held[caller::6] if caller < 6 else ():
            services.release(reservation_id=each.pk)
        for n in range(10 if caller >= 6 else 0):
            try_to_take(f"session:{caller}-{n}")

    def try_to_take(name: str) -> None:
        with suppress(WaitingList, InsufficientStock):
            taken.append(hold(row, 1, name))

    got = all_at_once(12, give_back_or_take)
    assert [each for each in got if each] == []
    try_to_take("session:last")
    assert (broken() == {"W1"}) == bool(taken)
    if gate:
        wait_for(lambda: all(now(entry)[0] == "offered" for entry in entries))
        assert taken == []
    else:
        assert taken, "the gate was not missed"


@pytest.mark.usefixtures("_by_hand")
def test_one_who_joins_while_others_are_served_has_the_place_of_that_moment() -> None:
    row = stocked(4)
    held = [hold(row, 1, f"session:{n}") for n in range(4)]

    def join_or_serve(caller: int) -> None:
        if caller < 8:
            joined(row, f"n{caller}")
        elif caller < 12:
            services.release(reservation_id=held[caller - 8].pk)
            serve()
        else:
            waiting.serve_all()

    def serve() -> None:
        # Then the next serves.
        with suppress(Busy):
            waiting.serve(row.product_id)

    # What is free before anybody waits is for everybody.
    first = joined(row, "first")
    outcomes = all_at_once(14, join_or_serve)
    assert {type(each).__name__ for each in outcomes} <= {"NoneType", "NotWanted"}
    waiting.serve(row.product_id)
    assert now(first) == ("offered", 1)
    offered = WaitingEntry.objects.filter(offer__isnull=False)
    in_time = offered.order_by("offered_at", "confirmed_at")
    assert list(in_time) == list(offered.order_by("confirmed_at"))
    assert broken() == set()


@pytest.mark.usefixtures("_by_hand")
def test_one_who_comes_from_a_room_is_before_all_who_join_at_the_same_time() -> None:
    """Each place of the room is claimed by two: one of them has it, the other is at the end."""
    row = stocked(2)
    held = hold(row, 2)
    first = joined(row, "first")
    ended = timezone.now()

    def join_or_serve(caller: int) -> None:
        if caller < 4:
            joined(row, f"late{caller}")
        elif caller < 10:
            rank = (caller - 4) // 2
            joined(row, f"room{rank}-{caller}", since=ended - timedelta(microseconds=3 - rank))
        else:
            services.change(reservation_id=held.pk, quantity=1)
            with suppress(Busy):
                waiting.serve(row.product_id)

    assert set(all_at_once(11, join_or_serve)) == {None}
    names = [entry.email for entry in WaitingEntry.objects.in_order()]
    assert [name[:5] for name in names[:4]] == ["first", "room0", "room1", "room2"]
    assert Counter(name[:4] for name in names[4:]) == {"late": 4, "room": 3}
    services.release(reservation_id=held.pk)
    waiting.serve(row.product_id)
    served = WaitingEntry.objects.filter(offer__isnull=False).in_order()
    assert [entry.email[:5] for entry in served] == ["first", "room0"]
    assert served[0] == first
    assert broken() == set()


@pytest.mark.usefixtures("_by_hand")
def test_an_offer_that_is_paid_and_declined_at_once_has_one_end() -> None:
    row = stocked(1)
    held = hold(row)
    first, second = joined(row, "a"), joined(row, "b")
    services.release(reservation_id=held.pk)
    waiting.serve(row.product_id)
    offer = offer_of(first)
    ends = (services.confirm, services.release)
    all_at_once(2, lambda n: ends[n](reservation_id=offer.pk))
    waiting.serve_all()
    assert (now(first)[0], now(second)[0]) in {("bought", "waiting"), ("declined", "offered")}
    assert broken() == set()


@pytest.mark.usefixtures("_by_hand")
@pytest.mark.parametrize("locked", [True, False])
def test_two_who_join_before_there_is_any_stock_are_served_in_order(monkeypatch, locked) -> None:
    """No row is shared by then: only the list's lock keeps the second from being served first."""
    row = stocked(0)
    place = {"product": row.product, "warehouse": row.warehouse}
    row.delete()
    with first_is_slow(monkeypatch, row) as (go_on, first):
        if not locked:
            command = lists.OnList
            monkeypatch.setattr(lists, "OnList", lambda rows, lists: command(rows=rows))
        second = in_thread(lambda: joined(row, "second"))
        if locked:
            wait_for(a_lock_is_waited_for)
            go_on.set()
        second.join(PATIENCE)
        new = Inventory.objects.create(**place)
        if not locked:
            stock_room.receive(inventory_id=new.pk, units=1)
            waiting.serve(new.product_id)
    first.join(PATIENCE)
    stock_room.receive(inventory_id=new.pk, units=1)
    waiting.serve(new.product_id)
    assert ("W5" in broken()) == (not locked)


@contextmanager
def first_is_slow(
    monkeypatch: pytest.MonkeyPatch, row: Inventory
) -> Iterator[tuple[Event, Thread]]:
    """Somebody who has a place on the list, in a transaction that lasts until the end."""
    go_on, has_place = Event(), Event()
    finish = lists.LockedList.finish

    def slowly(self: lists.LockedList) -> None:
        if not has_place.is_set():
            has_place.set()
            assert go_on.wait(PATIENCE)
        finish(self)

    monkeypatch.setattr(lists.LockedList, "finish", slowly)
    first = in_thread(lambda: joined(row, "first"))
    assert has_place.wait(PATIENCE)
    try:
        yield go_on, first
    finally:
        go_on.set()


def in_thread(act: Callable[[], object]) -> Thread:
    def run() -> None:
        try:
            act()
        finally:
            connection.close()

    thread = Thread(target=run)
    thread.start()
    return thread


def a_lock_is_waited_for() -> bool:
    with connection.cursor() as cursor:
        return bool(cursor.execute(WAITS).fetchone()[0])

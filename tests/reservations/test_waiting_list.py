"""The waiting list: who gets what becomes free, one caller at a time, on real PostgreSQL."""

import re
from collections.abc import Sequence
from datetime import timedelta
from threading import Event
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from allo.outbox import services as outbox
from allo.outbox.models import Message
from allo.redis_client import redis_client
from catalog.models import Product
from inventory import serving
from inventory.models import Inventory, StockMovement
from reservations import services as verbs
from reservations.clock.audit import audit_stock
from reservations.clock.expiry import expire_due
from reservations.clock.pruning import prune
from reservations.engine.books import Books
from reservations.engine.commands import Command, Holder, Reserve
from reservations.engine.events import holder_topic
from reservations.engine.locks import Patience
from reservations.engine.storage import open_books
from reservations.engine.transactions import perform
from reservations.exceptions import Busy, InsufficientStock, LimitReached, NotOpen, WaitingList
from reservations.list_exceptions import (
    AlreadyWaiting,
    ListClosed,
    NotWaiting,
    NotWanted,
    TooManyEntries,
)
from reservations.models import Reservation, WaitingEntry
from reservations.room_keeping import keep
from reservations.waiting import links, lists, services
from reservations.waiting.mail import join_letter
from tests import stock_room
from tests.joining import opened as link_opened
from tests.live.rooms import Room
from tests.reservations.test_database_refuses import refused_by
from tests.reservations.test_verbs import hold
from tests.running import wait_for
from tests.stock import pass_time, stocked, units
from tests.waiting import joined, needs, now, offer_of

Reason = StockMovement.Reason

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def woken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The products that would be served at once. Here each test serves when it wants to."""
    products: list[int] = []
    monkeypatch.setattr("inventory.events.serve_soon", products.extend)
    return products


@pytest.fixture(autouse=True)
def _books_balance() -> Any:
    yield
    assert audit_stock() == []


def all_held(units: int = 1, **place: str) -> tuple[Inventory, Reservation]:
    row = stocked(units, **place)
    return row, hold(row, units, "session:first")


# --- what is freed is for the list ----------------------------------------------------------------


def received(row: Inventory, _held: Reservation) -> None:
    stock_room.receive(inventory_id=row.pk, units=1)


def counted(row: Inventory, _held: Reservation) -> None:
    stock_room.adjust(inventory_id=row.pk, delta=1, reason=Reason.COUNTED, note="x")


def released(_row: Inventory, held: Reservation) -> None:
    verbs.release(reservation_id=held.pk)


def fewer(_row: Inventory, held: Reservation) -> None:
    verbs.change(reservation_id=held.pk, quantity=held.quantity - 1)


def swept(_row: Inventory, _held: Reservation) -> None:
    pass_time(601)
    # The sweep serves too: what it woke is what counts here.
    expire_due()


@pytest.mark.parametrize("frees", [received, counted, released, fewer, swept])
def test_whatever_frees_units_wakes_the_server_and_nobody_else_gets_them(woken, frees) -> None:
    row, held = all_held(2)
    entry = joined(row)
    assert (needs(row), woken) == (1, [])
    frees(row, held)
    assert set(woken) == {row.product_id}
    if frees is not swept:
        with pytest.raises(WaitingList):
            hold(row, 1, "session:second")
        assert services.serve(row.product_id) == 1
    assert now(entry) == ("offered", 1)
    assert needs(row) == 0
    offer = offer_of(entry)
    assert (offer.holder, offer.address, offer.inventory_id) == (f"list:{entry.pk}", "", row.pk)
    assert (offer.expires_at - offer.created_at).total_seconds() == 3600
    assert Message.objects.get().key == f"list_offer:{entry.pk}"


def test_a_dead_hold_that_a_shortage_expires_is_for_the_list(woken) -> None:
    row, _ = all_held()
    entry = joined(row)
    pass_time(601)
    with pytest.raises(WaitingList):
        hold(row, 1, "session:second")
    assert units(row) == (1, 0)
    assert woken == [row.product_id]
    assert services.serve(row.product_id) == 1
    assert now(entry) == ("offered", 1)


def test_growing_waits_too_and_a_row_without_a_list_is_used() -> None:
    row, held = all_held(3)
    mine = verbs.change(reservation_id=held.pk, quantity=2)
    joined(row, quantity=2, exactly=True, warehouse_id=row.warehouse_id)
    verbs.change(reservation_id=mine.pk, quantity=3)
    verbs.change(reservation_id=mine.pk, quantity=1)
    for quantity in (2, 3):
        with pytest.raises(WaitingList):
            verbs.change(reservation_id=mine.pk, quantity=quantity)
    elsewhere = stocked(1, warehouse="w-2")
    found = verbs.reserve(product_id=row.product_id, quantity=1, holder=Holder("session:b"))
    assert found.inventory_id == elsewhere.pk
    with pytest.raises(InsufficientStock) as refused:
        verbs.reserve(product_id=row.product_id, quantity=3, holder=Holder("session:c"))
    assert refused.value.available == 0


def test_one_who_needs_more_does_not_keep_others_from_what_is_too_little_for_them() -> None:
    row, held = all_held(3)
    entry = joined(row, quantity=3, exactly=True)
    verbs.change(reservation_id=held.pk, quantity=1)
    assert services.serve(row.product_id) == 0
    assert (now(entry), needs(row)) == (("waiting", None), 3)
    assert hold(row, 2, "session:second").is_pending


def test_with_a_list_and_without_reserving_runs_the_same_statements() -> None:
    """The gate is one more column of the row that is locked."""
    row, other = stocked(5), stocked(5, product="other")
    Inventory.objects.filter(pk=other.pk).update(list_needs=9)
    with CaptureQueriesContext(connection) as without:
        perform(Reserve(rows=(row.pk,), quantity=1, holder=Holder("session:a")))
    with CaptureQueriesContext(connection) as gated:
        perform(Reserve(rows=(other.pk,), quantity=1, holder=Holder("session:b")))
    Inventory.objects.filter(pk=other.pk).update(list_needs=0)
    # A statement is as it is prepared, without its values.
    assert [query["sql"] for query in gated] == [query["sql"] for query in without]
    assert len(gated) == 9


def test_a_list_that_cannot_be_served_keeps_no_other_from_it(monkeypatch, caplog) -> None:
    served = Event()
    used: list[Any] = []

    def serve(product: int) -> None:
        if product == 1:
            raise Busy
        connection.ensure_connection()
        used.append(connections["default"])
        served.set()

    monkeypatch.setattr(serving, "import_string", lambda _name: serve)
    server = serving.Server()
    server.add([1])
    server.add([2])
    assert served.wait(60)
    assert "a waiting list is left to the sweep: Busy" in caplog.text
    # Nor does the thread keep a connection while nothing is to be served.
    wait_for(lambda: used[0].connection is None)


def test_only_a_person_waits_long_while_a_row_is_locked_that_others_wait_for(monkeypatch) -> None:
    waits: list[Patience] = []

    def opened(commands: Sequence[Command], patience: Patience) -> Books:
        waits.append(patience)
        return open_books(commands, patience)

    monkeypatch.setattr(lists, "open_books", opened)
    row, _ = all_held()
    joined(row, "a")
    services.serve(row.product_id)
    stocked(0, warehouse="del-01")
    services.serve(row.product_id)
    joined(row, "b")
    assert waits == [Patience.FULL, Patience.FULL, Patience.BRIEF, Patience.FULL]


# --- the order ------------------------------------------------------------------------------------


def test_the_first_is_served_first_and_one_who_does_not_fit_keeps_the_place() -> None:
    row, held = all_held(5)
    first = joined(row, "a", 4, exactly=True)
    second = joined(row, "b", 2)
    third = joined(row, "c", 2)
    assert [services.place_of(entry) for entry in (first, second, third)] == [1, 2, 3]
    assert services.length_of(row.product_id) == 3
    verbs.change(reservation_id=held.pk, quantity=2)
    assert services.serve(row.product_id) == 2
    assert [now(entry) for entry in (first, second, third)] == [
        ("waiting", None), ("offered", 2), ("offered", 1),
    ]  # fmt: skip
    assert (needs(row), services.place_of(first)) == (4, 1)


@pytest.mark.parametrize("end", ["declines", "lapses", "lapses, and the mail is late", "buys"])
def test_one_who_was_served_is_off_the_list_and_the_next_has_its_turn(end) -> None:
    """A shopper who bought and cancelled is not served again, nor stands in anybody's way."""
    row, held = all_held()
    first, second = joined(row, "a"), joined(row, "b")
    verbs.release(reservation_id=held.pk)
    assert services.serve(row.product_id) == 1
    offer = offer_of(first)
    if "late" not in end:
        Message.objects.update(sent_at=offer.created_at, context={})
    with pytest.raises(AlreadyWaiting):
        joined(row, "A")
    if end == "declines":
        verbs.release(reservation_id=offer.pk)
    elif "lapses" in end:
        pass_time(3601)
    else:
        verbs.confirm(reservation_id=offer.pk)
        stock_room.adjust(inventory_id=row.pk, delta=1, reason=Reason.RETURNED, note="cancelled")
    expire_due()
    became = {"declines": "declined", "lapses": "lapsed", "buys": "bought"}[end.partition(",")[0]]
    assert (now(first), now(second)) == ((became, 1), ("offered", 1))
    # Once, to whoever did not end it; a mail of the offer that is late says that it has ended.
    expire_due()
    told = Message.objects.filter(kind="list_ended").values_list("key", flat=True)
    assert list(told) == ([f"list_ended:{first.pk}"] if end == "lapses" else [])
    assert WaitingEntry.objects.filter(followed_up=True).get() == first
    assert now(joined(row, "a")) == ("waiting", None)


def test_each_warehouse_serves_those_who_wait_for_it() -> None:
    row, _ = all_held()
    other, held = all_held(2, warehouse="w-2")
    here = joined(row, "a", warehouse_id=row.warehouse_id)
    there = joined(row, "b", warehouse_id=other.warehouse_id)
    anywhere = joined(row, "c", 2)
    assert (needs(row), needs(other)) == (1, 1)
    verbs.release(reservation_id=held.pk)
    assert services.serve(row.product_id) == 2
    assert now(here) == ("waiting", None)
    assert (now(there), offer_of(there).inventory_id) == (("offered", 1), other.pk)
    assert (now(anywhere), offer_of(anywhere).inventory_id) == (("offered", 1), other.pk)
    assert (needs(row), needs(other)) == (1, 0)


def test_a_new_row_of_the_product_is_for_the_list_from_its_first_moment() -> None:
    row, _ = all_held()
    joined(row, quantity=2, exactly=True)
    joined(row, "b", warehouse_id=row.warehouse_id)
    new = stocked(3, warehouse="w-2")
    assert needs(new) == 2
    with pytest.raises(WaitingList):
        hold(new, 2, "session:b")


def test_the_sweep_serves_a_row_that_knows_nothing_of_its_list() -> None:
    row, held = all_held()
    entry = joined(row)
    verbs.release(reservation_id=held.pk)
    Inventory.objects.update(list_needs=0)
    expire_due()
    assert now(entry) == ("offered", 1)


def test_hundreds_are_served_in_transactions_of_some(monkeypatch) -> None:
    monkeypatch.setattr(lists, "OFFERS_AT_ONCE", 2)
    row, held = all_held(5)
    entries = [joined(row, f"n{n}") for n in range(5)]
    verbs.release(reservation_id=held.pk)
    assert services.serve(row.product_id) == 5
    offers = [offer_of(entry) for entry in entries]
    assert len({offer.created_at for offer in offers}) == 3
    assert offers == sorted(offers, key=lambda offer: offer.created_at)


def test_those_behind_many_who_fit_no_longer_are_served_too(monkeypatch) -> None:
    monkeypatch.setattr(lists, "OFFERS_AT_ONCE", 2)
    here, held = all_held(1)
    there = stocked(1, warehouse="w-2")
    other = hold(there, 1, "session:other")
    for n in range(3):
        joined(here, f"n{n}", warehouse_id=here.warehouse_id)
    last = joined(here, "last", warehouse_id=there.warehouse_id)
    # As one file of the stock room, which frees units in both and is served afterwards.
    with monkeypatch.context() as unserved:
        unserved.setattr(lists.LockedList, "_who_may_fit", lambda _: [])
        for each in (held, other):
            verbs.release(reservation_id=each.pk)
    assert services.serve(here.product_id) == 2
    assert now(last) == ("offered", 1)


def test_a_clock_that_was_set_back_puts_nobody_before_others() -> None:
    row, _ = all_held()
    ahead = timezone.now() + timedelta(hours=1)
    WaitingEntry.objects.create(
        product=row.product, quantity=1, exactly=False, confirmed_at=ahead, waiting_since=ahead,
        email="z@example.org", email_key="z@example.org",
    )  # fmt: skip
    assert services.place_of(joined(row)) == 2


# --- joining, leaving -----------------------------------------------------------------------------


def test_an_address_is_on_the_list_once_it_is_confirmed() -> None:
    row, held = all_held()
    entry = joined(row, confirmed=False)
    assert (now(entry), needs(row)) == (("unconfirmed", None), 0)
    assert services.confirm(entry_id=entry.pk).state == "waiting"
    assert services.confirm(entry_id=entry.pk).state == "waiting"
    with pytest.raises(AlreadyWaiting) as refused:
        joined(row, "ASHA", confirmed=False)
    assert refused.value.entry == entry
    assert services.entries_of("asha@EXAMPLE.org") == [entry]
    verbs.release(reservation_id=held.pk)
    # Its link was opened late: what is free by then is offered at once.
    late = WaitingEntry.objects.create(
        product=row.product, quantity=1, exactly=False, email="b@x.org", email_key="b@x.org"
    )
    assert services.serve(row.product_id) == 1
    assert services.confirm(entry_id=late.pk).state == "waiting"
    verbs.release(reservation_id=offer_of(entry).pk)
    third = WaitingEntry.objects.create(
        product=row.product, quantity=1, exactly=False, email="c@x.org", email_key="c@x.org"
    )
    assert services.confirm(entry_id=third.pk).state == "waiting"
    assert now(late) == ("offered", 1)


def test_leaving_ends_the_entry_and_opens_the_gate() -> None:
    row, held = all_held()
    entry, unconfirmed = joined(row), joined(row, "b", confirmed=False)
    verbs.release(reservation_id=held.pk)
    for each in (entry, unconfirmed, entry):
        assert services.leave(entry_id=each.pk).state == "left"
    assert needs(row) == 0
    offered = hold(row, 1, "session:b")
    with pytest.raises(NotWaiting) as refused:
        services.confirm(entry_id=unconfirmed.pk)
    assert refused.value.state == "left"
    second = joined(row)
    verbs.release(reservation_id=offered.pk)
    services.serve(row.product_id)
    with pytest.raises(NotWaiting) as refused:
        services.leave(entry_id=second.pk)
    assert refused.value.state == "offered"


def test_one_who_leaves_makes_room_for_the_next_at_once() -> None:
    row, held = all_held(2)
    first, second = joined(row, "a", 2), joined(row, "b", 2)
    verbs.change(reservation_id=held.pk, quantity=1)
    services.leave(entry_id=first.pk)
    assert now(second) == ("offered", 1)


def test_nobody_waits_for_what_everybody_can_reserve() -> None:
    row = stocked(2)
    with pytest.raises(NotWanted):
        joined(row)
    entry = joined(row, "a", 3, exactly=True)
    with pytest.raises(NotWanted):
        joined(row, "b", 3)
    hold(row, 2)
    assert now(entry) == ("waiting", None)
    full, _ = all_held(warehouse="w-2")
    verbs.release(reservation_id=hold_of(row).pk)
    assert now(joined(row, "c", warehouse_id=full.warehouse_id)) == ("waiting", None)
    assert not WaitingEntry.objects.filter(email_key="b@example.org").exists()


def hold_of(row: Inventory) -> Reservation:
    return Reservation.objects.pending().get(inventory=row)


def test_limits_on_joining(settings) -> None:
    row, _ = all_held(1)
    with pytest.raises(ValueError, match="0 units"):
        joined(row, quantity=0)
    with pytest.raises(LimitReached) as refused:
        joined(row, quantity=11)
    assert (refused.value.limit, refused.value.maximum) == ("RESERVATION_MAX_UNITS", 10)
    settings.WAITING_PER_NETWORK = 2
    for name in ("a", "b"):
        joined(row, name, network="192.0.2.1")
    with pytest.raises(TooManyEntries) as too_many:
        joined(row, "c", network="192.0.2.1")
    assert too_many.value.maximum == 2
    joined(row, "c", network="192.0.2.2")
    # Nothing is known of the network "".
    for name in ("d", "e", "f"):
        joined(row, name)
    settings.WAITING_PER_NETWORK = 0
    joined(row, "g", network="192.0.2.1")


def test_a_customer_has_no_more_by_the_list_than_without() -> None:
    row, held = all_held(3)
    Product.objects.update(max_per_customer=2)
    verbs.change(reservation_id=held.pk, quantity=2)
    entry = joined(row, quantity=2, exactly=True)
    verbs.change(reservation_id=held.pk, quantity=1)
    services.serve(row.product_id)
    verbs.confirm(reservation_id=offer_of(entry).pk)
    with pytest.raises(LimitReached) as refused:
        joined(row)
    assert (refused.value.limit, refused.value.maximum) == ("max_per_customer", 2)
    with pytest.raises(LimitReached):
        joined(row, "b", 2, names=["session:first"])
    assert now(joined(row, "b", 1, names=["session:first"])) == ("waiting", None)


# --- what is not offered --------------------------------------------------------------------------


def test_what_is_out_of_the_shop_is_offered_to_nobody_until_it_is_back() -> None:
    row, held = all_held()
    entry = joined(row)
    for fields in (
        {"published_at": None},
        {"published_at": timezone.now(), "opens_at": timezone.now() + timedelta(hours=1)},
    ):
        Product.objects.update(**fields)
        if held.is_pending:
            held = verbs.release(reservation_id=held.pk)
        expire_due()
        assert now(entry) == ("waiting", None)
    with pytest.raises(NotOpen):
        joined(row, "b")
    with refused_by("offered_while_in_the_shop"), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE reservations_waitingentry SET offer_id = %s, offered_at = now(),"
            " offered_units = 1", [held.pk],
        )  # fmt: skip
    Product.objects.update(opens_at=timezone.now())
    expire_due()
    assert now(entry) == ("offered", 1)
    lasts = offer_of(entry).expires_at - offer_of(entry).created_at
    assert lasts.total_seconds() == 900


def test_what_is_withdrawn_while_it_is_offered_is_not_offered(monkeypatch) -> None:
    row, held = all_held()
    entry = joined(row)
    verbs.release(reservation_id=held.pk)
    found = lists.LockedList._offers_last

    def withdrawn_meanwhile(self: lists.LockedList) -> int | None:
        lasts = found(self)
        Product.objects.update(published_at=None)
        return lasts

    monkeypatch.setattr(lists.LockedList, "_offers_last", withdrawn_meanwhile)
    with pytest.raises(Busy):
        services.serve(row.product_id)
    assert services.serve_all() == 0
    assert now(entry) == ("waiting", None)
    assert not Message.objects.exists()


def test_closing_ends_all_who_wait_and_tells_them_why() -> None:
    row, held = all_held(2)
    staff = User.objects.create_user("mira")
    first, second = joined(row, "a"), joined(row, "b")
    unconfirmed = joined(row, "c", confirmed=False)
    verbs.change(reservation_id=held.pk, quantity=1)
    services.serve(row.product_id)
    services.close(product_id=row.product_id, reason="No more are made.", by=staff)
    assert [now(each)[0] for each in (first, second, unconfirmed)] == [
        "offered",
        "closed",
        "closed",
    ]
    assert needs(row) == 0
    assert set(Message.objects.values_list("key", flat=True)) == {
        f"list_offer:{first.pk}", f"list_closed:{second.pk}",
    }  # fmt: skip
    for call in (
        lambda: joined(row, "d"),
        lambda: services.close(product_id=row.product_id, reason="x", by=staff),
    ):
        with pytest.raises(ListClosed) as refused:
            call()
        assert refused.value.reason == "No more are made."
    for _ in range(2):
        services.reopen(product_id=row.product_id, by=staff)
    assert now(joined(row, "b")) == ("waiting", None)


# --- what everybody sees --------------------------------------------------------------------------


def test_pages_and_programs_see_as_available_what_everybody_can_take(client) -> None:
    row, held = all_held(3)
    joined(row, quantity=2, exactly=True)
    address = f"/api/products/{row.product.slug}"
    verbs.change(reservation_id=held.pk, quantity=2)
    assert client.get(address).json()["available"] == 1
    verbs.change(reservation_id=held.pk, quantity=1)
    assert client.get(address).json()["available"] == 0
    page = client.get(f"/p/{row.product.slug}/").content.decode()
    assert "All held" in page
    assert f'data-rows="{row.pk}:3:3"' in page
    assert f'data-rows="{row.pk}:3:3"' in client.get("/").content.decode()
    assert row.product.name not in client.get("/?in_stock=1").content.decode()
    refused = client.post(
        "/api/reservations",
        {"product": row.product.slug, "quantity": 2},
        content_type="application/json",
        headers={"Idempotency-Key": "k" * 16},
    )
    assert (refused.status_code, refused.json()["code"]) == (409, "waiting_list")


def test_open_pages_hear_what_everybody_can_take(monkeypatch) -> None:
    row, held = all_held(3)
    heard: list[str] = []
    monkeypatch.setattr(
        "inventory.events.publish_events",
        lambda events: heard.extend(m.numbers for e in events for m in e.messages if m.numbers),
    )
    entry = joined(row, quantity=2, exactly=True)
    verbs.change(reservation_id=held.pk, quantity=2)
    verbs.change(reservation_id=held.pk, quantity=1)
    services.leave(entry_id=entry.pk)
    assert heard == ["3 3", "3 2", "3 3", "3 1"]


def test_whoever_sees_a_place_hears_that_it_moves(monkeypatch, client) -> None:
    row, held = all_held(2)
    heard: list[str] = []
    topic = f"list:{row.product_id}"

    def publish(*topics: str, per_second: int | None = None) -> None:
        heard.extend(topics)
        assert per_second == (20 if topic in topics else None)

    def hears(*own: WaitingEntry) -> bool:
        try:
            return heard == [*(holder_topic(entry.holder) for entry in own), topic]
        finally:
            heard.clear()

    monkeypatch.setattr("reservations.waiting.lists.publish", publish)
    first = joined(row, "a")
    assert hears(first)
    second = joined(row, "b")
    assert hears(second)
    page = link_opened(second, client).get(links.path_to(second)).content.decode()
    assert re.search(rf'data-live="holder:\w+ {topic}:', page)
    joined(row, "c", confirmed=False)
    services.confirm(entry_id=second.pk)
    assert services.serve(row.product_id) == 0
    assert heard == []
    services.leave(entry_id=first.pk)
    assert hears(first)
    verbs.change(reservation_id=held.pk, quantity=1)
    assert services.serve(row.product_id) == 1
    assert hears()
    page = client.get(links.path_to(second)).content.decode()
    assert (topic in page, "It is your&nbsp;turn." in page) == (False, True)
    mira = User.objects.create_user("mira")
    services.close(product_id=row.product_id, reason="x", by=mira)
    assert hears()
    services.reopen(product_id=row.product_id, by=mira)
    heard.clear()
    services.close(product_id=row.product_id, reason="nobody waits any more", by=mira)
    assert heard == []


def test_those_on_the_list_before_are_served_before_those_in_the_waiting_room() -> None:
    """What the list takes is not in the room's supply, and a room never has to wait for it."""
    row, held = all_held(3)
    earlier = joined(row, "earlier")
    large = joined(row, "large", 3, exactly=True)
    Product.objects.update(opens_at=timezone.now() - timedelta(seconds=5))
    try:
        assert keep(row.product_id)
        room = Room(row.product_id)
        place = room.join("visitor")
        verbs.change(reservation_id=held.pk, quantity=1)
        assert keep(row.product_id)
        # For the list until it is served; then the rest is for the room: too few for the other.
        assert room.now().supply == 0
        assert services.serve(row.product_id) == 1
        assert (now(earlier), now(large)) == (("offered", 1), ("waiting", None))
        assert keep(row.product_id)
        assert (room.now().supply, room.seen(place)) == (1, ["waiting"])
        verbs.release(reservation_id=held.pk)
        assert services.serve(row.product_id) == 0
        assert hold(row, 2, "session:let-in").is_pending
    finally:
        redis_client().delete(*redis_client().keys("*room*"))


# --- what is kept ---------------------------------------------------------------------------------


def test_places_and_ends_never_change() -> None:
    row, held = all_held()
    entry = joined(row)
    later = timezone.now()
    for change, constraint in (
        ({"confirmed_at": later}, "place_is_kept"),
        ({"waiting_since": later}, "place_is_kept"),
        ({"confirmed_at": None}, "place_is_kept"),
        ({"quantity": 5}, "entry_stays_as_made"),
        ({"exactly": True}, "entry_stays_as_made"),
        ({"ended_at": later}, "entry_end_known"),
        ({"offer": held}, "offered_what_it_takes"),
    ):
        with refused_by(constraint):
            WaitingEntry.objects.update(**change)
    with refused_by("open_entry_is_kept"):
        WaitingEntry.objects.all().delete()
    other = {"product": row.product, "quantity": 2, "exactly": False, "confirmed_at": later}
    for fields, constraint in (
        (
            {"waiting_since": later, "email_key": entry.email_key},
            "one_open_entry_per_person_and_product",
        ),
        ({"waiting_since": entry.waiting_since}, "place_is_of_one_entry"),
        ({}, "confirmed_has_a_place"),
    ):
        with refused_by(constraint):
            WaitingEntry.objects.create(**other, **fields)
    services.leave(entry_id=entry.pk)
    with refused_by("entry_end_is_final"):
        WaitingEntry.objects.update(ended_at=None, ended_as="")


def test_entries_go_along_to_a_new_address_which_keeps_the_earlier_of_two_places() -> None:
    rows = [stocked(0, product=f"p-{n}") for n in range(3)]
    olds = [joined(rows[n], "old") for n in (0, 1)]
    services.leave(entry_id=joined(stocked(0, product="left"), "old").pk)
    news = [joined(rows[n], "new", 2, exactly=True) for n in (1, 2)]
    late = joined(rows[2], "old")
    moved = {"email_key": "old@example.org", "email": "New@example.org"}
    services.move(**moved)
    services.unite(**moved)
    assert services.entries_of("old@example.org") == []
    assert len(services.entries_of("new@example.org")) == 6
    kept = (*olds, news[1])
    assert [now(entry)[0] for entry in kept] == ["waiting"] * 3
    assert [now(entry)[0] for entry in (news[0], late)] == ["left", "left"]
    assert [needs(row) for row in rows] == [1, 1, 2]


def test_old_entries_are_deleted_and_open_ones_kept(settings) -> None:
    row, held = all_held(2)
    left, offered, waits = joined(row, "a"), joined(row, "b"), joined(row, "c")
    services.leave(entry_id=left.pk)
    joined(row, "d", confirmed=False)
    verbs.change(reservation_id=held.pk, quantity=1)
    services.serve(row.product_id)
    verbs.release(reservation_id=offer_of(offered).pk)
    prune()
    assert WaitingEntry.objects.count() == 4
    settings.KEEP_UNCONFIRMED_HOURS = settings.KEEP_WAITING_DAYS = 0
    with transaction.atomic():
        outbox.put_all([join_letter(left, "a"), join_letter(waits, "c")])
    prune()
    assert WaitingEntry.objects.get() == waits
    # Mail about the others could not be sent any more.
    assert [letter.context["entry"] for letter in Message.objects.all()] == [str(waits.pk)]

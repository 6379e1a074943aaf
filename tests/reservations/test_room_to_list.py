"""All is taken, and a waiting room closes: those who were there go on on the waiting list, in the
same order."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from allo.live.rooms import passes
from catalog.models import Product
from inventory.models import Inventory
from reservations import services as verbs
from reservations.clock.audit import audit_stock
from reservations.models import Reservation, WaitingEntry
from reservations.room_keeping import ALL_TAKEN, OVER, SOLD, keep
from reservations.shop.visitor import holder_of
from reservations.waiting import services
from tests.joining import all_held, asked, join, press, shown
from tests.joining import opened as link_opened
from tests.live.rooms import Room
from tests.reservations.test_waiting_room import WAIT, opened, opening, take_place, without_redis
from tests.stock import stocked
from tests.waiting import joined, now

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("rooms")]
LIST = "/p/tidal/waiting-list/"


@pytest.fixture
def row() -> Inventory:
    """Of a product that opened a moment ago, and that somebody holds all of."""
    row = opening(-1)
    all_held(row)
    return row


def sold_out(row: Inventory) -> None:
    """What was held is bought, so the room closes."""
    verbs.confirm(reservation_id=Reservation.objects.pending().get(inventory=row).pk)
    assert not keep(row.product_id)


def entry_of(client: Client, row: Inventory, name: str) -> WaitingEntry:
    """Joins by the form, and confirms by the link of the mail."""
    assert join(client, row, f"{name}@example.org").status_code == 303
    entry = WaitingEntry.objects.get(email=f"{name}@example.org", confirmed_at=None)
    assert press(link_opened(entry, client), entry, "confirm").status_code == 303
    return services.get(entry_id=entry.pk)


def order() -> list[str]:
    return [entry.email.partition("@")[0] for entry in WaitingEntry.objects.open().in_order()]


def test_the_order_of_the_room_is_that_of_the_list_between_those_before_and_after(row) -> None:
    joined(row, "earlier")
    opened(row)
    clients = {name: Client() for name in ("first", "second", "third")}
    for client in clients.values():
        take_place(client)
    sold_out(row)
    joined(row, "later")
    for name in ("third", "first"):
        entry_of(clients[name], row, name)
    assert order() == ["earlier", "first", "third", "later"]
    assert "You are 3rd in line." in shown(
        clients["third"], services.entries_of("third@example.org")[0]
    )
    entry_of(clients["second"], row, "second")
    assert order() == ["earlier", "first", "second", "third", "later"]


def test_an_account_goes_on_in_its_order_at_once_on_any_of_its_devices(row) -> None:
    opened(row)
    phone, laptop = Client(), Client()
    account = User.objects.create_user("asha", email="asha@example.org")
    for client in (phone, laptop):
        client.force_login(account)
    take_place(phone)
    sold_out(row)
    joined(row, "later")
    assert join(laptop, row).status_code == 303
    assert order() == ["asha", "later"]


def test_a_place_is_of_one_entry_and_the_next_with_it_is_at_the_end(row, client) -> None:
    """A mistyped address takes nothing from anybody; a shopper who leaves has used the place."""
    opened(row)
    take_place(client)
    sold_out(row)
    join(client, row, "mistyped@example.org")
    joined(row, "later")
    entry = entry_of(client, row, "asha")
    entry_of(client, row, "friend")
    assert order() == ["asha", "later", "friend"]
    services.leave(entry_id=entry.pk)
    entry_of(client, row, "asha")
    mistyped = WaitingEntry.objects.get(email="mistyped@example.org")
    services.confirm(entry_id=mistyped.pk)
    assert order() == ["later", "friend", "asha", "mistyped"]


def foreign(client: Client, row: Inventory) -> None:
    """Somebody else's place, that cookie and all."""
    theirs = take_place(Client())
    client.get(WAIT)
    client.cookies[f"allo_place_{row.product_id}"] = passes.sign_place(theirs)


def forged(client: Client, row: Inventory) -> None:
    """A place that no script made, in a cookie that this shop signed for this browser."""
    client.get(WAIT)
    request = client.get(WAIT).wsgi_request
    name = passes.name_in(row.product_id, holder_of(request) or "")
    place = passes.Place(row.product_id, name, -1.0)
    client.cookies[f"allo_place_{row.product_id}"] = passes.sign_place(place)


def absent(client: Client, row: Inventory) -> None:
    Room(row.product_id).absent(take_place(client).visitor)


def served(client: Client, row: Inventory) -> None:
    """It was let in, and its ticket has ended."""
    room = Room(row.product_id)
    room.put(supply=1)
    take_place(client)
    room.step()
    room.all_turns_are_over()


def of_another_room(client: Client, row: Inventory) -> None:
    other = stocked(1, product="cup")
    Product.objects.filter(pk=other.product_id).update(opens_at=timezone.now())
    opened(other)
    client.get("/p/cup/wait/")
    assert client.post("/p/cup/wait/").status_code == 303


def old(client: Client, _row: Inventory) -> None:
    take_place(client)


@pytest.mark.parametrize("place", [foreign, forged, absent, served, of_another_room, old])
def test_one_who_was_not_in_the_room_at_its_end_has_no_place_of_it(row, client, place) -> None:
    opened(row)
    place(client, row)
    take_place(Client())
    sold_out(row)
    if place is old:
        Room(row.product_id).put(ended_at=1)
    joined(row, "later")
    entry_of(client, row, "asha")
    assert order() == ["later", "asha"]


def test_without_redis_one_joins_at_the_end(row, client, settings) -> None:
    opened(row)
    take_place(client)
    sold_out(row)
    joined(row, "later")
    with without_redis(settings):
        entry_of(client, row, "asha")
    assert order() == ["later", "asha"]


@pytest.mark.django_db(transaction=True)
def test_an_offer_that_was_made_before_one_came_from_the_room_passed_over_nobody(
    client, monkeypatch
) -> None:
    monkeypatch.setattr("inventory.events.serve_soon", lambda _products: None)
    row = opening(-1, units=1)
    hold = all_held(row)
    opened(row)
    take_place(client)
    Product.objects.update(opens_at=timezone.now() - timedelta(hours=2))
    assert not keep(row.product_id)
    later = joined(row, "later")
    verbs.release(reservation_id=hold.pk)
    services.serve(row.product_id)
    entry = entry_of(client, row, "asha")
    assert (now(later), now(entry)) == (("offered", 1), ("waiting", None))
    assert list(WaitingEntry.objects.in_order()) == [entry, later]
    assert audit_stock() == []


@pytest.mark.parametrize(
    ("taken", "why", "onward"),
    [
        ("sold", SOLD, LIST),
        ("held", ALL_TAKEN, LIST),
        ("sold, and the list is closed", SOLD, ""),
        ("free", OVER, ""),
    ],
)
def test_a_closed_room_leads_to_the_list_if_that_can_be_joined(
    row, client, taken, why, onward
) -> None:
    room = opened(row)
    place = take_place(client)
    hold = Reservation.objects.pending().get()
    if "closed" in taken:
        staff = User.objects.create_user("mira")
        services.close(product_id=row.product_id, reason="No more.", by=staff)
    if taken.startswith("sold"):
        verbs.confirm(reservation_id=hold.pk)
    else:
        Product.objects.update(opens_at=timezone.now() - timedelta(hours=2))
    if taken == "free":
        verbs.release(reservation_id=hold.pk)
    assert not keep(row.product_id)
    numbers = room.now()
    assert (numbers.phase, numbers.words) == ("closed", why)
    assert numbers.onward == (f"http://testserver{onward}" if onward else "")
    assert room.seen(place) == ["kept" if onward else "closed"]
    said = "If you were in its waiting room when that closed" in client.get(LIST).content.decode()
    assert said == bool(onward)


def test_the_form_to_join_leads_to_the_room_while_there_is_a_line(row, client) -> None:
    opened(row)
    assert "Join the waiting list" in client.get(LIST).content.decode()
    take_place(Client())
    page = client.get(LIST).content.decode()
    assert f'href="{WAIT}">To the waiting room</a>' in page
    assert 'name="quantity"' not in page
    # What was typed before somebody came stays.
    refused = join(client, row, "ravi@example.org").content.decode()
    assert 'value="ravi@example.org"' in refused
    sold_out(row)
    assert 'name="quantity"' in client.get(LIST).content.decode()
    assert asked(row).confirmed_at is None

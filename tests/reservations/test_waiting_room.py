"""The shop's side of a waiting room: its door, the way in, the way back, and who keeps it."""

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import User
from django.db import Error, connection
from django.db.models import F
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from redis import RedisError

from allo.live.rooms import passes, store
from allo.live.rooms.passes import Place, name_in
from allo.live.rooms.store import run
from allo.redis_client import redis_client
from allo.web.pressure import Pressure
from catalog.models import Product
from inventory.models import Inventory
from reservations import room_keeping, services
from reservations.admission import is_waited_for, room_numbers
from reservations.api import tokens
from reservations.clock.tasks import keep_rooms
from reservations.engine.commands import Holder
from reservations.models import IdempotencyKey, Reservation, WaitingEntry
from reservations.room_keeping import NO_OPENING, NOBODY_WAITS, OVER, SOLD, WITHDRAWN, Keeper, keep
from reservations.staff import drops
from tests.joining import all_held, asked, given_back, join, waiting
from tests.joining import opened as link_opened
from tests.joining import press as press_place
from tests.live.rooms import Room
from tests.shopping import HTMX, Page, holding, key, press, press_reserve
from tests.stock import stocked

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("rooms")]
RESERVE, WAIT, ENTER = (f"/p/tidal/{name}/" for name in ("reserve", "wait", "enter"))
JSON = "application/json"


@pytest.fixture
def row() -> Inventory:
    """Of a product that opened a moment ago."""
    return opening(-1)


def opening(seconds: float, units: int = 9) -> Inventory:
    row = stocked(units)
    Product.objects.update(opens_at=timezone.now() + timedelta(seconds=seconds))
    return Inventory.objects.select_related("product", "warehouse").get(pk=row.pk)


def opened(row: Inventory) -> Room:
    """Its room, in front of a calm shop."""
    assert keep(row.product_id)
    room = Room(row.product_id)
    room.put(rate=200, tokens=200, rests_until=0)
    run(store.report(room.number, "web", p95_ms=1, busy=0))
    return room


def take_place(client: Client) -> Place:
    client.get(WAIT)
    answer = client.post(WAIT)
    assert answer.status_code == 303
    return place_in(answer)


def place_in(answer: Page) -> Place:
    address = urlsplit(answer.headers["Location"])
    path = re.fullmatch(r"/live/room/(\d+)/", address.path)
    assert path, address
    return passes.read_place(parse_qs(address.query)["place"][0], room=int(path[1]))


def let_in(client: Client, room: Room) -> str:
    """Waits until it is its turn; returns where the room's page leads."""
    place = take_place(client)
    room.step()
    return f"{ENTER}?ticket={passes.sign_ticket(room.ticket_of(place)).replace(':', '%3A')}"


def enter(client: Client, room: Room) -> None:
    answer = client.get(let_in(client, room))
    assert (answer.status_code, answer.headers["Location"]) == (303, RESERVE)


def call(client: Client, row: Inventory, **headers: str) -> Page:
    asked = {"product": row.product.slug, "warehouse": row.warehouse.code, "quantity": 1}
    return client.post("/api/reservations", asked, JSON, headers=headers or None)


# --- the door -----------------------------------------------------------------------------------


@pytest.mark.parametrize("headers", [None, HTMX])
def test_the_form_leads_into_the_room_and_nothing_is_stored(client, row, headers) -> None:
    opened(row)
    for path in (RESERVE, WAIT):
        assert f'action="{WAIT}"' in client.get(path, headers=headers).content.decode()
    answer = press_reserve(client, row, headers=headers)
    assert answer.status_code == 409
    assert answer.context["refusal"].code == "waiting_room"
    assert f'action="{WAIT}"' in answer.content.decode()
    assert not Reservation.objects.exists()
    assert not IdempotencyKey.objects.exists()


@pytest.mark.parametrize("known", [True, False])
def test_programs_that_are_not_merchants_wait_as_well(client, row, known) -> None:
    opened(row)
    if known:
        client.get(RESERVE)
    answer = call(client, row, Idempotency_Key=key())
    assert answer.status_code == 409
    assert answer.json()["code"] == "waiting_room"
    assert answer.json()["room"] == "http://testserver/p/tidal/wait/"
    assert not IdempotencyKey.objects.exists()


def test_a_merchants_token_does_not_wait(client, row) -> None:
    opened(row)
    _, secret = tokens.create(name="till", scopes=["reserve"])
    assert call(client, row, Authorization=f"Bearer {secret}").status_code == 201


def test_what_one_holds_is_changed_renewed_paid_and_given_back_without_waiting(client, row) -> None:
    hold = holding(client, row)
    opened(row)
    assert 'name="quantity"' in client.get(RESERVE).content.decode()
    changed = press_reserve(client, row, 2, held=f"{row.pk}:1", warehouse=row.pk)
    assert changed.status_code == 303
    assert press(client, hold, "renew").status_code == 303
    assert press(client, hold, "cancel").status_code == 303
    hold.refresh_from_db()
    assert (hold.quantity, hold.status) == (2, "released")


def test_other_products_and_those_without_an_opening_have_no_door(client, row) -> None:
    opened(row)
    other = stocked(3, product="mug")
    assert press_reserve(client, other).status_code == 303
    Product.objects.update(opens_at=None)
    assert press_reserve(client, row).status_code == 303


def test_without_redis_there_is_no_room_and_the_limits_hold(client, row, settings) -> None:
    opened(row)
    settings.RESERVATION_MAX_UNITS = 2
    with without_redis(settings):
        client.get(WAIT)
        assert client.post(WAIT).headers["Location"] == RESERVE
        assert client.get(RESERVE).status_code == 200
        assert press_reserve(client, row, 3).status_code == 422
        assert press_reserve(client, row, 2).status_code == 303
        keep_rooms()


def test_a_room_that_cannot_be_read_stops_neither_the_shop_nor_its_rate_limit(
    client, row, settings
) -> None:
    settings.RESERVE_RATE = "1/h"
    client.get(RESERVE)
    redis_client().delete(*redis_client().keys("rate:*") or ("none",))
    redis_client().set(Room(row.product_id).key(), "no hash")
    assert [press_reserve(client, row).status_code for _ in range(2)] == [303, 429]


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_web_clock_that_is_an_hour_off_has_no_room_but_the_right_opening(
    client, monkeypatch, settings, hours
) -> None:
    settings.ROOM_LASTS_SECONDS = 1800
    row = opening(600)
    opened(row)
    now = timezone.now() + timedelta(hours=hours)
    monkeypatch.setattr("reservations.admission.timezone.now", lambda: now)
    assert press_reserve(client, row).context["refusal"].code == "not_open"
    Product.objects.update(opens_at=F("opens_at") - timedelta(seconds=601))
    assert press_reserve(client, row).status_code == 303


@contextmanager
def without_redis(settings: Any) -> Iterator[None]:
    usual, settings.REDIS_URL = settings.REDIS_URL, "redis://127.0.0.1:1/0"
    redis_client.cache_clear()
    yield
    settings.REDIS_URL = usual
    redis_client.cache_clear()


# --- in, and back -------------------------------------------------------------------------------


def test_a_ticket_reserves_once_and_a_second_click_gets_the_same_answer(client, row) -> None:
    room = opened(row)
    enter(client, room)
    form = client.get(RESERVE)
    assert "It is your turn." in form.content.decode()
    press_it = {"idempotency_key": key()}
    first, second = (press_reserve(client, row, **press_it) for _ in range(2))
    assert (first.status_code, second.status_code) == (303, 303)
    assert first.headers["Location"] == second.headers["Location"]
    assert press_reserve(client, row, held="").status_code == 409
    assert Reservation.objects.count() == 1
    # Its units are known to be gone before anybody counts again.
    assert room.now().supply == 8


def test_a_program_with_the_browsers_ticket_is_let_in_once(client, row) -> None:
    room = opened(row)
    enter(client, room)
    name = key()
    assert [call(client, row, Idempotency_Key=name).status_code for _ in range(2)] == [201, 201]
    answer = client.post("/api/reservations", {"product": "tidal", "quantity": 1}, JSON)
    assert answer.json()["code"] == "waiting_room"
    assert "turn has passed" in answer.json()["detail"]


def test_the_key_of_a_used_ticket_is_refused_for_another_request(client, row) -> None:
    room = opened(row)
    enter(client, room)
    name = key()
    assert press_reserve(client, row, idempotency_key=name).status_code == 303
    answer = press_reserve(client, row, 2, idempotency_key=name, held="")
    assert answer.status_code == 409
    assert answer.context["refusal"].code == "idempotency_conflict"
    other = Client()
    enter(other, room)
    wanted = {"product": "tidal", "quantity": 1}
    headers = {"Idempotency-Key": name}
    for quantity, status in ((1, 201), (2, 409)):
        answer = other.post(
            "/api/reservations", {**wanted, "quantity": quantity}, JSON, headers=headers
        )
        assert answer.status_code == status
    assert answer.json()["code"] == "idempotency_conflict"


def test_a_refusal_of_the_books_leaves_the_ticket(client, row) -> None:
    room = opened(row)
    enter(client, room)
    services.reserve(product_id=row.product_id, quantity=8, holder=Holder("visitor:other", "x"))
    assert press_reserve(client, row, 2).context["refusal"].code == "insufficient_stock"
    assert "It is your turn." in client.get(RESERVE).content.decode()
    assert press_reserve(client, row, 1).status_code == 303


def test_a_turn_with_nothing_left_leads_to_the_place_it_came_from_and_not_to_the_list(
    client,
) -> None:
    row = opening(-200)
    room = opened(row)
    place = take_place(client)
    room.step()
    ticket = room.ticket_of(place)._replace(ends=int(time.time()) - 1)
    client.get(ENTER, {"ticket": passes.sign_ticket(ticket)})
    all_held(row)
    keep(row.product_id)
    form = client.get(RESERVE).content.decode()
    join_list = reverse("waiting:join", args=["tidal"])
    assert ["It is your turn." in form, "Stay on this page" in form, join_list in form] == [
        True, True, False,
    ]  # fmt: skip
    take_place(Client())
    room.all_turns_are_over()
    room.step()
    assert f'action="{WAIT}"' in client.get(RESERVE).content.decode()
    assert press_reserve(client, row).context["refusal"].code == "waiting_room"
    assert take_place(client) == place
    assert room.seen(place) == ["waiting"]
    assert room.line()[0] == place.visitor


def test_two_shoppers_behind_one_address_both_buy(row) -> None:
    room = opened(row)
    for _ in range(2):
        client = Client()
        enter(client, room)
        assert press_reserve(client, row).status_code == 303
    assert Reservation.objects.pending().count() == 2


def test_a_reload_another_tab_and_a_new_network_keep_the_place(client, settings) -> None:
    settings.TRUSTED_PROXIES = 1
    opened(opening(600))
    first = take_place(client)
    again = client.post(WAIT, headers={"X-Forwarded-For": "203.0.113.9"})
    client.cookies.pop(f"allo_place_{first.room}")
    assert [place_in(again), take_place(client)] == [first, first]


def test_signing_in_keeps_the_place(client, row) -> None:
    room = opened(row)
    place = take_place(client)
    client.force_login(User.objects.create_user("asha"))
    assert take_place(client) == place
    room.step()
    client.get(ENTER, {"ticket": passes.sign_ticket(room.ticket_of(place))})
    assert press_reserve(client, row).status_code == 303


def test_one_account_has_one_place_on_all_its_devices(row) -> None:
    opened(row)
    account = User.objects.create_user("asha")
    places = []
    for _ in range(2):
        client = Client()
        client.force_login(account)
        places.append(take_place(client))
    assert places[0] == places[1]


def test_whoever_lost_a_lot_in_redis_comes_back_with_it(client) -> None:
    row = opening(600)
    opened(row)
    place = take_place(client)
    redis_client().flushdb()
    assert take_place(client) == place


def test_a_ticket_of_another_browser_room_or_secret_lets_nobody_in(client, row) -> None:
    room = opened(row)
    shared = let_in(Client(), room)
    other = row.product_id + 1
    own = name_in(other, holding(client, stocked(1, product="cup")).holder)
    elsewhere = passes.sign_ticket(passes.Ticket(other, own, 1.0, int(time.time()) + 9))
    for ticket in (shared.partition("=")[2].replace("%3A", ":"), elsewhere, "forged", "", "1~a~b"):
        answer = client.get(ENTER, {"ticket": ticket})
        assert answer.status_code == 403
        assert answer.context["refusal"].code == "not_let_in"
        assert f"allo_ticket_{row.product_id}" not in client.cookies
        client.cookies[f"allo_ticket_{row.product_id}"] = ticket
        assert press_reserve(client, row).status_code == 409
        del client.cookies[f"allo_ticket_{row.product_id}"]


def test_a_place_of_another_browser_is_not_taken_over(client, row) -> None:
    opened(row)
    theirs = take_place(Client())
    client.get(WAIT)
    client.cookies[f"allo_place_{row.product_id}"] = passes.sign_place(theirs)
    assert take_place(client).visitor != theirs.visitor


def test_a_turn_that_passed_is_said_and_the_next_place_is_behind(client, row) -> None:
    room = opened(row)
    enter(client, room)
    room.all_turns_are_over()
    answer = press_reserve(client, row)
    assert answer.status_code == 409
    assert "Your turn has passed" in answer.content.decode()
    other = take_place(Client())
    assert take_place(client).score > other.score


def test_a_place_that_was_used_leads_nowhere_even_if_redis_forgot(client, row) -> None:
    room = opened(row)
    way_back = let_in(client, room)
    client.get(way_back)
    hold = holding(client, row)
    services.release(reservation_id=hold.pk)
    redis_client().flushdb()
    opened(row)
    client.cookies.pop(f"allo_ticket_{row.product_id}")
    assert client.get(way_back).headers["Location"] == RESERVE
    assert f"allo_ticket_{row.product_id}" not in client.cookies


def test_an_offer_of_the_waiting_list_uses_no_ticket(client, row) -> None:
    held = all_held(row)
    link_opened(waiting(row), client)
    room = opened(row)
    take_place(client)
    given_back(held)
    assert keep(row.product_id)
    enter(client, room)
    assert f"allo_ticket_{row.product_id}" in client.cookies


def test_places_and_tickets_are_only_for_the_server(client, row, settings) -> None:
    room = opened(row)
    answer = client.get(let_in(client, room))
    for name in (f"allo_place_{row.product_id}", f"allo_ticket_{row.product_id}"):
        assert client.cookies[name]["httponly"]
        assert client.cookies[name]["samesite"] == "Lax"
    assert "no-store" in answer.headers["Cache-Control"]


def test_signing_out_takes_places_and_tickets_along(client, row) -> None:
    room = opened(row)
    client.force_login(User.objects.create_user("asha"))
    enter(client, room)
    client.post("/account/sign-out/")
    assert not {
        name for name, cookie in client.cookies.items() if "allo_" in name and cookie.value
    } - {"allo_acted"}


def test_places_that_one_network_takes_are_limited(client, row, settings) -> None:
    opened(row)
    settings.API_RATE = "2/h"
    client.get(WAIT)
    assert [client.post(WAIT).status_code for _ in range(3)] == [303, 303, 429]


@pytest.mark.parametrize("ask", [lambda client: client.get, lambda client: client.post])
def test_a_room_has_the_shops_own_name_to_come_back_to(client, row, settings, ask) -> None:
    opened(row)
    settings.SITE_URL = "http://127.0.0.1:8000"
    answer = ask(client)(WAIT)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{settings.SITE_URL}{WAIT}")
    assert f"allo_place_{row.product_id}" not in client.cookies


@pytest.mark.parametrize(
    ("seconds", "says"),
    [(7200, "The waiting room opens at"), (600, "let in by lot"), (-1, "after those who wait now")],
)
def test_the_door_says_what_happens(client, seconds, says) -> None:
    row = opening(seconds)
    keep(row.product_id)
    assert in_sight(client, says)
    assert in_sight(client, "Go to the waiting room") == (seconds < 7200)
    assert in_sight(client, "after those who wait now") == (seconds < 0)


def in_sight(client: Client, words: str) -> bool:
    """What is for another moment is hidden: scripts show it then."""
    page = client.get(WAIT).content.decode()
    [attributes] = re.findall(rf"<\w+ ?([^>]*)>[^<]*{words}", page)
    return " hidden" not in attributes


@pytest.mark.parametrize("seconds", [-7200, None])
def test_without_a_room_its_addresses_lead_to_the_form(client, seconds) -> None:
    stocked(3)
    opens_at = timezone.now() + timedelta(seconds=seconds) if seconds else None
    Product.objects.update(opens_at=opens_at)
    client.get(WAIT)
    for answer in (client.get(WAIT), client.post(WAIT), client.get(ENTER, {"ticket": "x"})):
        assert (answer.status_code, answer.headers["Location"]) == (303, RESERVE)


# --- keeping ------------------------------------------------------------------------------------


def test_a_room_opens_in_time_and_not_before(settings) -> None:
    settings.ROOM_OPENS_BEFORE_SECONDS = 600
    row = opening(700)
    assert not keep(row.product_id)
    settings.ROOM_OPENS_BEFORE_SECONDS = 800
    keep_rooms()
    numbers = run(store.numbers(row.product_id))
    assert numbers
    assert (numbers.phase, numbers.supply, numbers.held) == ("early", 9, 0)
    assert numbers.back == "http://testserver/p/tidal/enter/"
    page = redis_client().get(store.page_key(row.product_id))
    assert page
    assert b"The waiting room for Tidal" in page


def test_no_product_has_a_room_if_rooms_last_no_time(client, settings) -> None:
    settings.ROOM_LASTS_SECONDS = 0
    row = opening(-1)
    assert not keep(row.product_id)
    assert press_reserve(client, row).status_code == 303


def test_the_room_hears_what_is_left(row) -> None:
    room = opened(row)
    services.reserve(product_id=row.product_id, quantity=4, holder=Holder("visitor:other", "x"))
    keep(row.product_id)
    assert (room.now().supply, room.now().held) == (5, 4)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"published_at": None}, WITHDRAWN),
        ({"opens_at": None}, NO_OPENING),
        ({"opens_at": datetime(2026, 1, 1, tzinfo=UTC)}, OVER),
    ],
)
def test_those_who_wait_hear_why_the_room_closes(client, row, change, says) -> None:
    room = opened(row)
    Product.objects.update(**change)
    Keeper().turn()
    assert (room.now().phase, room.now().words) == ("closed", says)
    assert not redis_client().smembers(room_keeping.OPEN)


def test_all_sold_closes_the_room_but_all_held_does_not(row) -> None:
    room = opened(row)
    hold = services.reserve(
        product_id=row.product_id, quantity=9, holder=Holder("visitor:other", "x")
    )
    assert keep(row.product_id)
    services.confirm(reservation_id=hold.pk)
    assert not keep(row.product_id)
    assert room.now().words == SOLD


def test_a_room_in_which_nobody_waits_any_more_closes_for_good(client) -> None:
    row = opening(-61)
    room = opened(row)
    take_place(client)
    assert keep(row.product_id)
    room.step()
    assert keep(row.product_id)  # it has not been open for a minute
    room.put(opened_at=time.time() - 61)
    assert not keep(row.product_id)
    assert room.now().words == NOBODY_WAITS
    keep_rooms()
    assert room.now().phase == "closed"
    assert press_reserve(Client(), row).status_code == 303


def test_a_withdrawn_product_that_is_back_has_its_room_and_its_line_again(client, row) -> None:
    room = opened(row)
    place = take_place(client)
    Product.objects.update(published_at=None)
    keep(row.product_id)
    Product.objects.update(published_at=timezone.now())
    assert keep(row.product_id)
    assert room.seen(place) == ["waiting"]


def test_one_who_stays_while_a_product_is_withdrawn_for_minutes_keeps_the_place() -> None:
    row = opening(-300)
    room = opened(row)
    stays, left = take_place(Client()), take_place(Client())
    Product.objects.update(published_at=None)
    assert not keep(row.product_id)
    room.absent(stays.visitor, left.visitor)  # as of two minutes ago
    assert room.seen(stays) == ["closed"]  # its page comes again by itself
    Product.objects.update(published_at=timezone.now())
    assert keep(row.product_id)
    room.step()
    assert (room.seen(stays), room.line(":let"), room.line()) == (["in"], [stays.visitor], [])
    assert keep(row.product_id)
    assert take_place(Client())  # the room is there for a minute more


def test_those_who_wait_for_a_withdrawn_product_hear_if_it_is_sold_meanwhile(row) -> None:
    room = opened(row)
    place = take_place(Client())
    hold = services.reserve(product_id=row.product_id, quantity=9, holder=Holder("visitor:x", "x"))
    Product.objects.update(published_at=None)
    keep(row.product_id)
    assert (room.now().words, room.now().passing) == (WITHDRAWN, True)
    services.confirm(reservation_id=hold.pk)
    Product.objects.update(published_at=timezone.now())
    assert not keep(row.product_id)
    assert (room.now().words, room.now().passing) == (SOLD, False)
    assert room.seen(place) == ["kept"]
    Product.objects.update(published_at=None)
    assert not keep(row.product_id)
    assert room.now().words == SOLD


def test_a_second_opening_is_a_new_lottery_for_all(client, row) -> None:
    room = opened(row)
    enter(client, room)
    late = Client()
    assert take_place(late).score > 1
    hold = services.reserve(product_id=row.product_id, quantity=9, holder=Holder("visitor:x", "x"))
    services.confirm(reservation_id=hold.pk)
    assert not keep(row.product_id)
    Product.objects.update(opens_at=timezone.now() + timedelta(seconds=600))
    assert keep(row.product_id)
    places = [take_place(it) for it in (client, late)]
    assert [place.score < 1 for place in places] == [True, True]
    assert "turn has passed" not in press_reserve(client, row).content.decode()
    assert room.seen(*places) == ["waiting", "waiting"]
    assert [take_place(it) for it in (client, late)] == places


def test_a_moved_opening_moves_the_room_and_loses_nobody(client) -> None:
    row = opening(600)
    room = opened(row)
    place = take_place(client)
    moved = timezone.now() + timedelta(days=1)
    Product.objects.update(opens_at=moved)
    assert keep(row.product_id)
    assert room.now().opens_at == moved.timestamp()
    assert take_place(client) == place


def test_a_process_that_knew_a_room_opens_it_again_when_redis_has_lost_it(row) -> None:
    opened(row)
    keeper = Keeper()
    keeper.turn()
    redis_client().flushdb()
    keeper.turn()
    numbers = run(store.numbers(row.product_id))
    assert numbers
    assert (numbers.phase, numbers.supply) == ("open", 9)


def test_a_room_lost_after_its_opening_is_there_for_a_minute_more() -> None:
    """Its line is empty until the open pages have reported who waits."""
    row = opening(-120)
    opened(row)
    keeper = Keeper()
    redis_client().flushdb()
    for _ in range(2):
        keeper.turn()
    room = Room(row.product_id)
    assert room.now().phase == "open"
    room.put(opened_at=time.time() - 61)
    keeper.turn()
    assert (room.now().phase, room.now().words) == ("closed", NOBODY_WAITS)


def test_without_the_clock_a_web_process_opens_what_is_due(row) -> None:
    Keeper().turn()
    numbers = run(store.numbers(row.product_id))
    assert numbers
    assert numbers.phase == "open"


def test_a_web_process_says_how_hard_it_works(row) -> None:
    room = opened(row)
    redis_client().delete(room.key(":reports"))
    Keeper().turn()
    assert redis_client().hlen(room.key(":reports")) == 1


def test_its_thread_goes_on_after_a_fault_and_keeps_no_connection(monkeypatch, caplog) -> None:
    """One connection for each web process would be one less for shoppers."""
    turns, kept = iter((RedisError, Error, None)), []

    class Enough(Exception):
        pass

    def turn(_: Keeper) -> None:
        connection.ensure_connection()
        if fault := next(turns):
            raise fault

    def sleep(_: float) -> None:
        kept.append(connection.connection)
        if len(kept) == 4:
            raise Enough

    monkeypatch.setattr(Keeper, "turn", turn)
    monkeypatch.setattr(room_keeping, "time", SimpleNamespace(sleep=sleep))
    with ThreadPoolExecutor(1) as pool, pytest.raises(Enough):
        pool.submit(Keeper().run).result()
    assert kept == [None] * 4
    assert [record.getMessage() for record in caplog.records] == [
        "waiting rooms are not kept: RedisError",
        "waiting rooms are not kept: Error",
    ]


def test_staff_see_who_waits_and_who_was_let_in(client, row) -> None:
    room = opened(row)
    take_place(client)
    take_place(Client())
    room.one_a_step()
    room.step()
    live = drops.live(row.product)
    assert live.room
    assert (live.room.waiting, live.room.let_in) == (1, 1)
    assert is_waited_for(row.product)
    room.close()
    assert not is_waited_for(row.product)
    assert room_numbers(stocked(1, product="mug").product) is None


def test_nobody_joins_the_list_while_people_wait_in_the_room(client, row, settings) -> None:
    all_held(row)
    entry = asked(row)
    browser = link_opened(entry)
    room = opened(row)
    take_place(Client())
    for answer in (join(client, row, "ravi@example.org"), press_place(browser, entry, "confirm")):
        assert answer.status_code == 409
        assert answer.context["refusal"].code == "room_first"
        assert f'<a href="{WAIT}">To the waiting room</a>' in answer.content.decode()
    assert WaitingEntry.objects.filter(confirmed_at=None).count() == 1
    with without_redis(settings):
        assert join(client, row, "ravi@example.org").status_code == 303
    room.close()
    assert press_place(browser, entry, "confirm").status_code == 303
    assert WaitingEntry.objects.open().get() == entry


# --- how hard a process works -------------------------------------------------------------------


def test_the_share_of_busy_threads_and_the_slowest_of_twenty_are_measured(
    monkeypatch, settings
) -> None:
    settings.WEB_THREADS = 4
    clock = [100.0]
    monkeypatch.setattr("allo.web.pressure.time.monotonic", lambda: clock[0])
    pressure = Pressure()

    def application(_environ: object, _start: object) -> list[bytes]:
        clock[0] += 1
        return []

    ran = []
    counted = pressure.counting(application, beside=lambda: ran.append(True))
    counted({}, print)
    for seconds in range(20):
        with pressure.timing():
            clock[0] += seconds / 10
    p95_ms, busy_share = pressure.look()
    assert round(p95_ms) == 1800
    assert round(busy_share, 6) == round(1 / 20 / 4, 6)
    clock[0] += 1
    assert pressure.look() == (0.0, 0.0)
    counted({}, print)
    assert ran == [True]

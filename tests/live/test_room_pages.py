"""Waiting rooms over HTTP: the live process on a Valkey that both may be killed."""

import re
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.conf import settings
from django.core.signing import BadSignature
from django.test import override_settings

from allo.live.rooms import page, store
from allo.live.rooms.answers import Numbers, Seen
from allo.live.rooms.passes import Place, read_ticket, sign_place
from allo.live.rooms.store import run
from allo.redis_client import redis_client
from tests.live.rooms import BACK, Room, moment
from tests.live.test_process import asking, process, status, until
from tests.running import free_port, wait_for
from tests.valkey import valkey_at

# The live process remembers rooms, so each test has another.
NUMBERS = count(1)


class Mortal:
    """A Valkey that can be killed, and comes back with nothing."""

    def __init__(self, folder: Path) -> None:
        self._at = free_port(), folder
        self._stack = ExitStack()
        self.url = f"redis://127.0.0.1:{self._at[0]}/0"
        self.start()

    def start(self) -> None:
        self._server = self._stack.enter_context(valkey_at(*self._at))

    def kill(self) -> None:
        self._server.kill()
        self._server.wait()

    def end(self) -> None:
        self._stack.close()


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: Any) -> Iterator[Mortal]:
    """In place of the one that tests share."""
    server = Mortal(tmp_path_factory.mktemp("valkey"))
    with override_settings(REDIS_URL=server.url):
        redis_client.cache_clear()
        yield server
    redis_client.cache_clear()
    server.end()


@pytest.fixture(scope="module")
def port(valkey: Mortal) -> Iterator[int]:
    with live() as port:
        yield port


@contextmanager
def live() -> Iterator[int]:
    many = {"LIVE_MAX_CLIENTS": "200", "LIVE_MAX_PER_NETWORK": "0"}
    with process(REDIS_URL=settings.REDIS_URL, **many) as (_, port):
        yield port


@pytest.fixture
def room(valkey: Mortal) -> Room:
    return Room(next(NUMBERS))


def path_of(place: Place, part: str = "", room: int = 0) -> str:
    return f"/live/room/{room or place.room}/{part}?{urlencode({'place': sign_place(place)})}"


def look(port: int, place: Place) -> tuple[int, str]:
    """The status, and the words that are shown or the way on."""
    with asking(port, path_of(place)) as answer:
        text = answer.read().decode().partition("<main")[2]
        shown = re.sub(r"<(div|p) [^>]*hidden>.*?</\1>", " ", text, flags=re.DOTALL)
        words = " ".join(re.sub(r"<[^>]*>", " ", shown).split())
        return answer.status, answer.headers["Location"] or words


@contextmanager
def waiting_pages(port: int, places: list[Place]) -> Iterator[None]:
    with ExitStack() as streams:
        for place in places:
            stream = streams.enter_context(asking(port, path_of(place, "stream")))
            assert stream.status == 200
            until(stream, b"event: up")
        yield


def shows(port: int, place: Place, *words: str) -> bool:
    """Until the process has heard what it shows."""
    return all(word in look(port, place)[1] for word in words)


def test_the_page_says_what_becomes_of_its_place(room: Room, port: int) -> None:
    skeleton = page.render(name="Blue & white mug", home="/p/mug/")
    room.open(60, free=0, page=skeleton)
    place, _ = sorted([room.join("a"), room.join("b")], key=lambda it: it.score)[::-1]
    answer, words = look(port, place)
    assert answer == 200
    assert "The waiting room for Blue &amp; white mug You have a place." in words
    assert "0 left in the shop" in words
    room.open(3600, free=0, page=skeleton)
    wait_for(lambda: shows(port, place, "The opening was moved: it was"))
    run(store.supply(room.number, free=0, held=7))
    room.open(-1, free=0, page=skeleton)
    run(store.supply(room.number, free=0, held=7))
    wait_for(lambda: shows(port, place, "You are number 2", "7 held, none left."))
    run(store.supply(room.number, free=1, held=6))
    wait_for(lambda: look(port, place)[0] == 303)
    run(store.used(room.ticket_of(place), units=1))
    assert "Your turn has passed." in look(port, place)[1]
    again = room.join("a" if place.visitor == "a" else "b", shown=place)
    room.close()
    wait_for(lambda: shows(port, again, "is closed. All are sold."))
    room.open(-1, free=0, page=skeleton)
    room.seen(again)
    room.close(closed_at=moment(0), onward="http://shop/list/")
    wait_for(lambda: shows(port, again, "You were number 2 here."))
    with asking(port, path_of(again)) as kept:
        assert b'<a class="button button-accent" href="http://shop/list/">' in kept.read()


def test_whose_turn_it_is_goes_back_to_the_shop_with_a_ticket(room: Room, port: int) -> None:
    room.open()
    place = room.join("me")
    room.step()
    answer, to = look(port, place)
    assert (answer, urlsplit(to).path) == (303, BACK)
    (ticket,) = parse_qs(urlsplit(to).query)["ticket"]
    read = read_ticket(ticket, room=room.number, visitor="me")
    assert (read, room.check(read)) == (room.ticket_of(place), "in")
    with pytest.raises(BadSignature):
        read_ticket(ticket, room=room.number, visitor="another")


def test_many_pages_at_once_share_few_connections_to_redis(room: Room, port: int) -> None:
    room.open(60)
    places = [room.join(f"{n}") for n in range(150)]
    with ExitStack() as connections:
        asked = [
            connections.enter_context(closing(HTTPConnection("127.0.0.1", port, timeout=60)))
            for _ in places
        ]
        for connection, place in zip(asked, places, strict=True):
            connection.request("GET", path_of(place))
        assert {connection.getresponse().status for connection in asked} == {200}
    # The live process's, its subscription, and this test's.
    assert len(redis_client().client_list()) < 20


def test_files_and_scripts_come_from_the_shop_alone(room: Room, port: int) -> None:
    for back, origin in (
        (BACK, "'self'"),
        ("http://shop.example:80/p/mug/", "http://shop.example:80"),
    ):
        run(store.open_room(room.number, opens_at=moment(60), back=back, page=b"<body>"))
        place = room.join("me")
        wait_for(lambda: f"script-src {origin};" in policy(port, place))  # noqa: B023


def policy(port: int, place: Place) -> str:
    with asking(port, path_of(place)) as answer:
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        return answer.headers["Content-Security-Policy"]


def test_without_a_script_the_page_comes_again_before_it_counts_as_left(
    room: Room, port: int
) -> None:
    room.open(60, page=page.render(name="Mug", home="/p/mug/"))
    with asking(port, path_of(room.join("me"))) as answer:
        assert 0 < refresh_of(answer.read()) <= 45 / 3


def refresh_of(text: bytes) -> int:
    found = re.search(rb'<noscript>\s*<meta http-equiv="refresh" content="(\d+)">', text)
    assert found
    return int(found[1])


@pytest.mark.parametrize(
    ("until", "rank", "seconds"),
    [
        (60, 0, 15),
        (60, 5000, 30),
        # Not all in the second of the opening.
        (4, 0, 4),
        (4, 400, 12),
        (-1, 1, 3),
        # When its turn comes.
        (-1, 9, 10),
        (-1, 28, 29),
        (-1, 100, 15),
        (-1, 1000, 20),
        (-1, 9000, 30),
    ],
)
def test_without_a_script_a_page_far_back_comes_again_rarely(
    until: int, rank: int, seconds: int
) -> None:
    phase = "early" if until > 0 else "open"
    numbers = Numbers(
        phase, 1e9, "life", 1e9 + until, 0, None, "1", BACK, "", False, "", 5, 95, 2.0, 1.0, 9000,
        5, 5,
    )  # fmt: skip
    assert refresh_of(page.fill(page.HEAD, numbers, Seen("waiting", 0.5, rank))) == seconds
    # Right after the opening nobody was let in yet.
    new = numbers._replace(pace=0.0, rate=1.0)
    assert refresh_of(page.fill(page.HEAD, new, Seen("waiting", 0.5, rank))) == seconds


@pytest.mark.parametrize(
    ("phase", "passing", "comes_again"),
    [("closed", True, True), ("closed", False, False), ("open", False, True)],
)
def test_the_page_of_a_room_that_may_open_again_comes_again(
    phase: str, passing: bool, comes_again: bool
) -> None:
    """With a script too: a closed page has no stream. The room may have opened meanwhile."""
    numbers = Numbers(
        phase, 1e9, "life", 1e9, 0, None, "1", BACK, "Why.", passing, "", 5, 0, 2.0, 1.0, 9, 5, 5
    )  # fmt: skip
    text = page.fill(page.HEAD + page.STATE, numbers, Seen("closed"))
    assert (b'<meta http-equiv="refresh" content="30">' in text) == comes_again
    assert (b"leads you back to your place by itself" in text) == passing
    assert b"<noscript>" not in text


def test_a_page_finds_its_way_back_into_a_room_that_opens_again(room: Room, port: int) -> None:
    room.open(free=0, page=page.render(name="Mug", home="/p/mug/"))
    place = room.join("me")
    room.close(passing=True)
    wait_for(lambda: shows(port, place, "is closed. All are sold. If the room opens again"))
    room.absent("me")
    look(port, place)
    room.open(free=0, page=page.render(name="Mug", home="/p/mug/"))
    assert room.step().waiting == 1
    wait_for(lambda: shows(port, place, "You are number 1"))


def test_what_is_no_place_in_this_room_is_refused(room: Room, port: int) -> None:
    room.open()
    place = room.join("me")
    for path in (
        path_of(place)[:-1],
        path_of(place, room=room.number + 1),
        path_of(place).replace("me~", "you~"),
        path_of(place).partition("?")[0],
        f"{path_of(place)}&a=1&b=2",
    ):
        with asking(port, path) as answer:
            assert (answer.status, b"no place in a waiting room" in answer.read()) == (403, True)
        assert status(port, path.replace("/?", "/stream?")) in {400, 403}


def test_a_room_that_nobody_knows_yet_is_waited_for(room: Room, port: int) -> None:
    place = room.place("me", 0.5)
    with asking(port, path_of(place)) as answer:
        assert answer.status == 404
        text = answer.read()
    assert b"This waiting room is not open." in text
    # Before it counts as left.
    assert b'<meta http-equiv="refresh" content="30">' in text
    with waiting_pages(port, [place]):
        room.open(60)
        wait_for(lambda: room.line() == ["me"])


def test_a_room_that_closed_long_ago_is_not_said_to_be_away(room: Room, port: int) -> None:
    room.open(-1, page=page.render(name="Mug", home="/p/mug/"))
    place = room.join("me")
    room.close()
    wait_for(lambda: shows(port, place, "is closed. All are sold."))
    redis_client().delete(*redis_client().keys(f"{room.key()}*"))
    answer, words = look(port, place)
    assert answer == 404
    assert "This waiting room is not open." in words
    assert "To the page of Mug" in words


def test_an_open_page_keeps_its_place_and_hears_the_line_move(room: Room, port: int) -> None:
    room.open(60)
    places = [room.join(name) for name in "abc"]
    with asking(port, path_of(places[0], "stream")) as stream:
        until(stream, b"event: up")
        wait_for(lambda: bool(redis_client().zscore(room.key(":here"), "a")))
        room.absent("b", "c")
        wait_for(lambda: room.line() == ["a"])
        room.open(-1, free=0)
        assert b"room:" in until(stream, b" room ")
        assert b" open 0 0 " in until(stream, b" open ")


def test_killed_servers_lose_nobodys_place_and_let_nobody_in_twice(
    room: Room, port: int, valkey: Mortal
) -> None:
    room.open(free=1, page=page.render(name="Mug", home="/p/mug/"))
    places = [room.join(f"{n}") for n in range(12)]
    room.step()
    used, unused = places[:2]  # a fifth more than one unit
    for place in (used, unused):
        assert look(port, place)[0] == 303
    run(store.used(room.ticket_of(used), units=1))
    before = room.line()
    assert before == [f"{n}" for n in range(2, 12)]
    with waiting_pages(port, places[2:]):
        wait_for(lambda: shows(port, places[2], "1 held, none left."))
        valkey.kill()
        with asking(port, path_of(places[5])) as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (503, "3")
            text = answer.read()
        assert b"Your place is kept" in text
        assert b'<meta http-equiv="refresh" content="3">' in text
        valkey.start()
        wait_for(lambda: room.line() == before)
        assert run(store.numbers(room.number)).supply == 0  # type: ignore[union-attr]
        assert room.seen(used, unused) == ["over", "in"]
    with live() as other, waiting_pages(other, places[2:]):
        wait_for(lambda: room.line() == before)

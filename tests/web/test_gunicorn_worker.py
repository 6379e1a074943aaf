"""Those with something at stake are served before new arrivals."""

from uuid import UUID

import pytest
from django.conf import settings
from django.urls import reverse

from allo.gunicorn_worker import (
    ARRIVAL_PAUSE,
    ARRIVING,
    BESIDE_FIRST,
    FIRST,
    HEAD_BYTES,
    MOST_WORKERS,
    Line,
    Rank,
    may_start,
    place_of,
)
from allo.web.shared.keys import HOLDS

HELD = UUID(int=0xA110)
TICKET = f"{settings.TICKET_COOKIE_NAME}7"
REST = "Host: shop.example\r\nUser-Agent: M/5.0 (X; y)\r\nAccept: */*\r\n"


def rank_of(address: str, verb: str = "GET", cookies: str = "") -> Rank:
    line = f"Cookie: {cookies}\r\n" if cookies else ""
    return Rank.of(f"{verb} {address} HTTP/1.1\r\n{REST}{line}\r\n".encode())


def goes_first(*args: str, **more: str) -> bool:
    return rank_of(*args, **more) is Rank.FIRST


@pytest.mark.parametrize("name", ["checkout", "confirm", "cancel", "renew", "contact"])
def test_acts_on_what_one_holds_go_first(name) -> None:
    assert goes_first(reverse(f"checkout:{name}", args=[HELD]), "POST")


@pytest.mark.parametrize("name", ["order", "invoice", "pay", "paid", "back", "drop"])
def test_orders_go_first(name) -> None:
    assert goes_first(reverse(f"orders:{name}", args=["AL-7K3M-9QTX"]))


def test_payments_staff_programs_tickets_and_probes_go_first() -> None:
    assert goes_first(reverse("orders:hook", args=["stripe"]), "POST")
    assert goes_first(reverse("admin:index"))
    assert goes_first(f"/api/reservations/{HELD}/confirm", "POST")
    assert goes_first(reverse("reservations:enter", args=["a-b"]) + "?ticket=x")
    assert all(goes_first(path) for path in ("/livez", "/readyz", "/metrics"))


@pytest.mark.parametrize("cookie", [f"{HOLDS}=1", f"{TICKET}=x:y", f"__Host-{TICKET}=x:y"])
def test_a_browser_that_holds_or_may_hold_goes_first(cookie) -> None:
    address = reverse("reservations:reserve", args=["a-b"])
    assert goes_first(address, "POST", f"csrftoken=1; {cookie}; theme=dark")
    assert goes_first(address, "POST", cookie)


def test_new_arrivals_do_not_go_first() -> None:
    for name in ("wait", "reserve", "stock"):
        assert not goes_first(reverse(f"reservations:{name}", args=["a-b"]), "POST")
    for address in (
        "/",
        "/p/a-b/",
        "/api/reservations",
        "/p/checkout/",
        f"/?next=/checkout/{HELD}",
    ):
        assert not goes_first(address)
    assert not goes_first("/", cookies=f"{HOLDS}=; csrftoken=1")
    # A word of the body, or of another header, is no cookie.
    assert not FIRST.match(f"GET / HTTP/1.1\r\nX-A: {HOLDS}=1\r\n\r\nCookie: {HOLDS}=1".encode())


def test_those_who_take_a_place_in_a_room_come_last() -> None:
    wait = reverse("reservations:wait", args=["a-b"])
    assert rank_of(wait) is rank_of(wait, "POST") is Rank.ARRIVAL
    assert rank_of("/p/a-b/") is rank_of(f"/?next={wait}") is Rank.OTHER
    assert rank_of(wait, cookies=f"{HOLDS}=1") is Rank.FIRST


def test_arrivals_pause_while_the_first_are_served_but_are_not_shut_out(monkeypatch) -> None:
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    line = Line(threads=16)
    arrivals, (first, other) = [object() for _ in range(9)], (object(), object())
    for conn in arrivals:
        line.add(conn, Rank.ARRIVAL)
    assert [line.start() for _ in range(ARRIVING + 1)] == [*arrivals[:ARRIVING], None]
    line.add(first, Rank.FIRST)
    assert line.start() is first
    for conn in arrivals[:ARRIVING]:
        line.finish(conn)
    assert line.start() is None
    now[0] += 2 * ARRIVAL_PAUSE
    assert [line.start(), line.start()] == [arrivals[ARRIVING], None]
    now[0] += 2 * ARRIVAL_PAUSE
    assert line.start() is None, "one of them is still served"
    line.add(other, Rank.OTHER)
    assert line.start() is other
    line.finish(first)
    assert line.start() is arrivals[ARRIVING + 1]
    assert line.has_arrivals
    assert len(line) == len(arrivals) - ARRIVING + 1


def test_the_first_pass_the_others_but_do_not_shut_them_out() -> None:
    line = Line(threads=BESIDE_FIRST + 3)
    others, first = [object() for _ in range(20)], [object() for _ in range(3)]
    for conn in others:
        line.add(conn, Rank.OTHER)
    running = [line.start() for _ in range(BESIDE_FIRST + 3)]
    assert running == others[: BESIDE_FIRST + 3]
    assert line.start() is None
    for conn in first:
        line.add(conn, Rank.FIRST)
    for conn, expected in zip(running, first, strict=False):
        line.finish(conn)
        assert line.start() is expected
    for conn in first:
        assert line.start() is None, "two others run beside the first, and no third may"
        line.finish(conn)
    assert [line.start() for _ in range(4)] == [*others[BESIDE_FIRST + 3 : BESIDE_FIRST + 6], None]
    assert len(line) == len(others) - 3


def test_two_threads_stay_the_others_however_many_are_first() -> None:
    line = Line(threads=BESIDE_FIRST + 2)
    first, others, arrivals = ([object() for _ in range(9)] for _ in Rank)
    for conn in first:
        line.add(conn, Rank.FIRST)
    assert [line.start() for _ in range(5)] == [*first[:4], None]
    for other, arrival in zip(others, arrivals, strict=True):
        line.add(other, Rank.OTHER)
        line.add(arrival, Rank.ARRIVAL)
    turns = [
        (first[0], arrivals[0]), (first[1], others[0]), (first[2], first[4]),
        (others[0], others[1]), (first[3], first[5]), (others[1], others[2]),
    ]  # fmt: skip
    for conn, expected in turns:
        line.finish(conn)
        assert line.start() is expected


def test_the_only_thread_is_no_others() -> None:
    line = Line(threads=1)
    first = [object(), object()]
    line.add(first[0], Rank.FIRST)
    assert line.start() is first[0]
    line.add(object(), Rank.OTHER)
    line.add(first[1], Rank.FIRST)
    line.finish(first[0])
    assert line.start() is first[1]


@pytest.mark.parametrize(
    ("head", "may"),
    [
        (b"", True),
        (b"G", False),
        (b"GET / HTTP/1.1\r\nHost: a\r\n", False),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", True),
        (b"POST / HTTP/1.1\r\ncontent-length: 3\r\n\r\nab", False),
        (b"POST / HTTP/1.1\r\nContent-Length:3 \r\n\r\nabc", True),
        # The client waits for a word, or says later how long it is, or no server would accept it.
        (b"POST / HTTP/1.1\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n", True),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", True),
        (b"POST / HTTP/1.1\r\nContent-Length: 3x\r\n\r\n", True),
        (b"POST / HTTP/1.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", True),
        # What the body says is no head.
        (b"POST / HTTP/1.1\r\n\r\n\r\nContent-Length: 9\r\n", True),
        (b"G" * HEAD_BYTES, True),
    ],
)
def test_a_request_gets_a_thread_when_all_of_it_is_here_or_only_a_thread_can_read_the_rest(
    head: bytes, may: bool
) -> None:
    assert may_start(head) is may


def test_a_worker_takes_the_lowest_place_that_is_free() -> None:
    class At:
        def __init__(self, place: int) -> None:
            self.place = place

    assert place_of([]) == 0
    assert place_of([At(0), At(2)]) == 1
    assert place_of(At(place) for place in range(MOST_WORKERS)) == MOST_WORKERS - 1

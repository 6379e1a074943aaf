"""Who has something at stake is served before who only arrives."""

from uuid import UUID

import pytest
from django.conf import settings
from django.urls import reverse

from allo.gunicorn_worker import BESIDE_FIRST, FIRST, MOST_WORKERS, Line, place_of
from allo.web.shared.keys import HOLDS

HELD = UUID(int=0xA110)
TICKET = f"{settings.TICKET_COOKIE_NAME}7"
REST = "Host: shop.example\r\nUser-Agent: M/5.0 (X; y)\r\nAccept: */*\r\n"


def goes_first(address: str, verb: str = "GET", cookies: str = "") -> bool:
    line = f"Cookie: {cookies}\r\n" if cookies else ""
    return bool(FIRST.match(f"{verb} {address} HTTP/1.1\r\n{REST}{line}\r\n".encode()))


@pytest.mark.parametrize("name", ["checkout", "confirm", "cancel", "renew", "contact"])
def test_acts_on_what_one_holds_go_first(name) -> None:
    assert goes_first(reverse(f"checkout:{name}", args=[HELD]), "POST")


@pytest.mark.parametrize("name", ["order", "invoice", "pay", "paid", "back", "drop"])
def test_orders_go_first(name) -> None:
    assert goes_first(reverse(f"orders:{name}", args=["AL-7K3M-9QTX"]))


def test_so_do_payments_staff_programs_that_hold_and_whose_turn_has_come() -> None:
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


def test_who_arrives_does_not() -> None:
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


def test_the_first_pass_the_others_but_do_not_shut_them_out() -> None:
    line = Line(threads=BESIDE_FIRST + 2)
    others, first = [object() for _ in range(20)], [object() for _ in range(3)]
    for conn in others:
        line.add(conn, is_first=False)
    running = [line.start() for _ in range(BESIDE_FIRST + 2)]
    assert running == others[: BESIDE_FIRST + 2]
    assert line.start() is None
    for conn in first:
        line.add(conn, is_first=True)
    for conn, expected in zip(running, first, strict=False):
        line.finish(conn)
        assert line.start() is expected
    # Three others run beside two of the first, and a fourth may.
    line.finish(first[0])
    assert line.start() is others[BESIDE_FIRST + 2]
    line.finish(first[1])
    assert line.start() is None
    line.finish(first[2])
    assert [line.start() for _ in range(3)] == [*others[BESIDE_FIRST + 3 : BESIDE_FIRST + 5], None]
    assert len(line) == len(others) - 3


def test_a_worker_takes_the_lowest_place_that_is_free() -> None:
    class At:
        def __init__(self, place: int) -> None:
            self.place = place

    assert place_of([]) == 0
    assert place_of([At(0), At(2)]) == 1
    assert place_of(At(place) for place in range(MOST_WORKERS)) == MOST_WORKERS - 1

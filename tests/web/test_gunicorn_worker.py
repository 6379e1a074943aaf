"""Who has something at stake is served before who only arrives."""

from uuid import UUID

import pytest
from django.conf import settings
from django.urls import reverse

from allo.gunicorn_worker import (
    BESIDE,
    HOLDER,
    MOST_WORKERS,
    PAUSE_SECONDS,
    SECONDS_BESIDE,
    WORKS_SECONDS,
    Line,
    Rank,
    place_of,
)
from allo.web.shared.keys import HOLDS

HELD = UUID(int=0xA110)
TICKET = f"{settings.TICKET_COOKIE_NAME}7"
REST = "Host: shop.example\r\nUser-Agent: M/5.0 (X; y)\r\nAccept: */*\r\n"


def rank_of(address: str, verb: str = "GET", cookies: str = "") -> Rank:
    line = f"Cookie: {cookies}\r\n" if cookies else ""
    return Rank.of(f"{verb} {address} HTTP/1.1\r\n{REST}{line}\r\n".encode())


@pytest.mark.parametrize("name", ["checkout", "confirm", "cancel", "renew", "contact"])
def test_acts_on_what_one_holds_are_a_holders(name) -> None:
    assert rank_of(reverse(f"checkout:{name}", args=[HELD]), "POST") is Rank.HOLDER


@pytest.mark.parametrize("name", ["order", "invoice", "pay", "paid", "back", "drop"])
def test_so_are_orders(name) -> None:
    assert rank_of(reverse(f"orders:{name}", args=["AL-7K3M-9QTX"])) is Rank.HOLDER


def test_so_are_payments_programs_that_hold_and_whose_turn_has_come() -> None:
    assert rank_of(reverse("orders:hook", args=["stripe"]), "POST") is Rank.HOLDER
    assert rank_of(f"/api/reservations/{HELD}/confirm", "POST") is Rank.HOLDER
    assert rank_of(reverse("reservations:enter", args=["a-b"]) + "?ticket=x") is Rank.HOLDER


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics", "/admin/"])
def test_staff_have_a_rank_of_their_own(path) -> None:
    assert rank_of(path) is Rank.STAFF


@pytest.mark.parametrize("cookie", [f"{HOLDS}=1", f"{TICKET}=x:y", f"__Host-{TICKET}=x:y"])
def test_so_has_a_browser_that_holds_or_may_hold(cookie) -> None:
    address = reverse("reservations:reserve", args=["a-b"])
    assert rank_of(address, "POST", f"csrftoken=1; {cookie}; theme=dark") is Rank.HOLDER
    assert rank_of(address, "POST", cookie) is Rank.HOLDER


def test_who_arrives_is_one_of_the_others() -> None:
    for name in ("wait", "reserve", "stock"):
        assert rank_of(reverse(f"reservations:{name}", args=["a-b"]), "POST") is Rank.OTHER
    for address in (
        "/",
        "/p/a-b/",
        "/api/reservations",
        "/p/checkout/",
        f"/?next=/checkout/{HELD}",
    ):
        assert rank_of(address) is Rank.OTHER
    assert rank_of("/", cookies=f"{HOLDS}=; csrftoken=1") is Rank.OTHER
    # A word of the body, or of another header, is no cookie.
    assert not HOLDER.match(f"GET / HTTP/1.1\r\nX-A: {HOLDS}=1\r\n\r\nCookie: {HOLDS}=1".encode())


class Waiting:
    """A line with a clock, and what it holds in the order in which it came."""

    def __init__(self, threads: int = 8, *, holders: int = 0, others: int = 0) -> None:
        self.now = 100.0
        self.line = Line(threads, lambda: self.now)
        self.holders = self.add(holders, Rank.HOLDER)
        self.others = self.add(others, Rank.OTHER)

    def add(self, number: int, rank: Rank) -> list[object]:
        conns = [object() for _ in range(number)]
        for conn in conns:
            self.line.add(conn, rank)
        return conns

    def started(self, *, after: float = 0) -> list[object]:
        self.now += after
        return list(iter(self.line.start, None))


def test_holders_and_staff_pass_the_others() -> None:
    it = Waiting(threads=3, others=5)
    assert it.started() == it.others[:3]
    first = [*it.add(1, Rank.STAFF), *it.add(1, Rank.HOLDER)]
    assert it.started() == []
    it.line.finish(it.others[0])
    assert it.started() == first[:1]
    assert (len(it.line), it.line.waiting) == (6, 3)


def test_beside_a_holder_another_gets_a_thread_after_a_pause() -> None:
    it = Waiting(holders=1, others=3)
    assert it.started() == [it.holders[0], it.others[0]]
    assert it.started(after=PAUSE_SECONDS) == []
    it.line.finish(it.others[0])
    assert it.started() == it.others[1:2]
    it.line.finish(it.others[1])
    assert it.started() == []
    assert it.started(after=PAUSE_SECONDS) == it.others[2:]


def test_for_some_seconds_after_a_holder_few_others_get_a_thread() -> None:
    it = Waiting(holders=1, others=8)
    it.started()
    it.line.finish(it.holders[0])
    assert it.started() == it.others[1:BESIDE]
    assert it.started(after=WORKS_SECONDS / 2) == []
    assert it.started(after=SECONDS_BESIDE) == it.others[BESIDE:]


def test_staff_keep_no_other_back() -> None:
    it = Waiting(others=4)
    staff = it.add(1, Rank.STAFF)
    assert it.started() == [*staff, *it.others]


def test_what_takes_long_keeps_no_other_back() -> None:
    it = Waiting(holders=1, others=4)
    it.started()
    assert it.started(after=WORKS_SECONDS) == it.others[1:2]
    it.line.finish(it.holders[0])
    assert it.started() == it.others[2 : 1 + BESIDE]


def test_a_worker_takes_the_lowest_place_that_is_free() -> None:
    class At:
        def __init__(self, place: int) -> None:
            self.place = place

    assert place_of([]) == 0
    assert place_of([At(0), At(2)]) == 1
    assert place_of(At(place) for place in range(MOST_WORKERS)) == MOST_WORKERS - 1

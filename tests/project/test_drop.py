"""A drop whose processes are killed: everybody keeps the place, and nobody is served twice."""

import os
import re
import signal
import urllib.request
from collections.abc import Iterator
from http.client import HTTPException
from http.cookiejar import CookieJar
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlencode, urlsplit
from uuid import uuid4

import pytest

from tests.prepared import prepared_shop
from tests.running import Shop, wait_for

pytestmark = pytest.mark.runner

SHOPPERS = 6
SLUG = "tidal"
NO_LIMITS = {
    "RESERVE_RATE": "off", "API_RATE": "off", "RESERVATION_MAX_UNITS_PER_ADDRESS": "0",
    "ROOM_PLACES_PER_NETWORK": "100",
}  # fmt: skip


class Stay(urllib.request.HTTPRedirectHandler):
    """Redirects are answers."""

    def redirect_request(self, *_: object) -> None:
        return None


class Shopper:
    """A browser without JavaScript: it loads the room's page again and again."""

    def __init__(self, shop: Shop) -> None:
        self.home = shop.url.rstrip("/")
        cookies = urllib.request.HTTPCookieProcessor(CookieJar())
        self._opener = urllib.request.build_opener(cookies, Stay())
        self.room = ""
        self.checkout = ""
        self.turn = ""

    def ask(self, address: str, **form: str) -> tuple[int, str]:
        """The status, and the page or where it leads."""
        url = address if "://" in address else self.home + address
        try:
            answer = self._opener.open(url, urlencode(form).encode() if form else None, timeout=20)
        except HTTPError as error:
            answer = error
        with answer:
            return answer.status, answer.headers["Location"] or answer.read().decode()

    def wait(self) -> None:
        status, self.room = self.ask(f"/p/{SLUG}/wait/", **self._form(f"/p/{SLUG}/wait/"))
        assert status == 303
        assert "You have a place." in self.ask(self.room)[1]

    def go_on(self) -> None:
        """One step further, if the shop lets it."""
        try:
            self._go_on()
        except (OSError, HTTPException):
            return  # Something was killed: the browser tries again.

    def _go_on(self) -> None:
        status, turn = self.ask(self.room)
        if status == 303:
            self.turn = turn
            assert self.ask(turn)[0] == 303
            self.reserve()

    def reserve(self) -> int:
        status, found = self.ask(f"/p/{SLUG}/reserve/", **self._form(f"/p/{SLUG}/reserve/"))
        if status == 303:
            self.checkout = found
        return status

    def score_of(self, name: str) -> str:
        """What its place, or its ticket, says of its order."""
        link = self.room if name == "place" else self.turn
        return parse_qs(urlsplit(link).query)[name][0].split("~")[2].partition(":")[0]

    def _form(self, address: str) -> dict[str, str]:
        page = self.ask(address)[1]
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
        assert token, page[:500]
        more = {"quantity": "1", "warehouse": "", "idempotency_key": str(uuid4())}
        return {"csrfmiddlewaretoken": token[1], **more}


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    with prepared_shop(**NO_LIMITS) as shop:
        yield shop


def opens_in(shop: Shop, seconds: int) -> None:
    shop.sql(
        f"UPDATE catalog_product SET opens_at = now() + interval '{seconds} s'"
        f" WHERE slug = '{SLUG}'"
    )


def kill(shop: Shop, *names: str) -> None:
    before = {name: shop.child(name) for name in names}
    for process in before.values():
        os.kill(process, signal.SIGKILL)
    for name, process in before.items():
        wait_for(lambda: shop.child(name) not in {0, process})  # noqa: B023


def test_processes_killed_in_a_drop_cost_nobody_a_place_and_serve_nobody_twice(shop: Shop) -> None:
    opens_in(shop, 600)
    shoppers = [Shopper(shop) for _ in range(SHOPPERS)]
    for shopper in shoppers:
        shopper.wait()
    # Redis forgets the room and everybody in it; a web process opens it again.
    kill(shop, "valkey")
    opens_in(shop, 0)

    def all_of(number: int) -> bool:
        for shopper in shoppers:
            if not shopper.checkout:
                shopper.go_on()
        return sum(bool(shopper.checkout) for shopper in shoppers) >= number

    wait_for(lambda: all_of(2))
    kill(shop, "valkey", "allo.gunicorn ", "allo.gunicorn_live ")
    wait_for(lambda: all_of(SHOPPERS))

    held = "SELECT count(*), count(DISTINCT holder), sum(quantity) FROM reservations_reservation"
    assert shop.sql(held) == [(SHOPPERS,) * 3]
    for shopper in shoppers:
        assert shopper.score_of("ticket") == shopper.score_of("place")
    # By the same place nobody gets in again, whatever Redis remembers.
    for shopper in shoppers:
        shopper.go_on()
    assert shop.sql(held) == [(SHOPPERS,) * 3]
    books = "SELECT sum(reserved_units) FROM inventory_inventory"
    assert shop.sql(books) == [(SHOPPERS,)]

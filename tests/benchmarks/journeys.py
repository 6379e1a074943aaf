"""The way of a buyer over HTTP, as a browser with htmx goes it, to the bank and back: what each
whole journey costs web and PostgreSQL in CPU time, beside as many requests to a view that does
nothing."""

import gzip
import http.client
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.cookies import SimpleCookie
from statistics import median
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit

from tests.bank import HOOK_SECRET, KEY, running_bank
from tests.benchmarks import cpu
from tests.benchmarks.http import running

ROUNDS, SHOPPERS, JOURNEYS_OF_EACH = 5, 4, 15
JOURNEYS = SHOPPERS * JOURNEYS_OF_EACH
STEPS = 10
BUYER = {
    "name": "Asha Rao",
    "email": "asha@example.org",
    "phone": "98450 12345",
    "delivery": "send",
    "line1": "12 MG Road",
    "line2": "",
    "city": "Bengaluru",
    "region": "KA",
    "pin": "560001",
}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
HTMX = {"HX-Request": "true", "HX-Target": "reserve-dialog-body"}


class Cost(NamedTuple):
    """Of one journey: CPU milliseconds; and the journeys per second."""

    web: float
    database: float
    generator: float
    per_second: float


def report() -> Iterator[str]:
    with running_bank() as bank, running("Allo", **_paid_at(bank.url)) as (url, web):
        address = url.removeprefix("http://")
        ways: dict[str, Callable[[Shopper], None]] = {"journey": journey, "no-op": nothing}
        for way in ways.values():
            _cost(way, address, web)
        found: dict[str, list[Cost]] = {name: [] for name in ways}
        for _ in range(ROUNDS):
            for name, way in ways.items():
                found[name].append(_cost(way, address, web))
    yield from _table({name: _median(costs) for name, costs in found.items()})


def _paid_at(bank: str) -> dict[str, str]:
    return {
        "PAYMENT_PROVIDER": "bank",
        "BANK_URL": bank,
        "BANK_SECRET": KEY,
        "BANK_WEBHOOK_SECRET": HOOK_SECRET,
    }


def _table(found: dict[str, Cost]) -> Iterator[str]:
    yield (
        f"gunicorn, 2 workers × 16 threads; {SHOPPERS} shoppers at a time. A journey is {STEPS}"
        " requests to the shop of a new browser: product, dialog, reserve, checkout, contact twice,"
        " the payment, the way back from it, the order, the header's holds; paid by card at the"
        " simulated bank, whose own time does not count."
        f" Each the median of {ROUNDS} alternating rounds of {JOURNEYS}.\n"
    )
    yield (
        "| | CPU of web, ms | CPU of PostgreSQL, ms | CPU of the generator, ms | per second |\n"
        "|---|---|---|---|---|"
    )
    names = ("a whole journey", f"{STEPS} × the no-op view")
    for name, cost in zip(names, found.values(), strict=True):
        yield f"| {name} | {' | '.join(f'{number:.1f}' for number in cost)} |"
    whole, no_op = found.values()
    yield f"\nWeb: {whole.web / no_op.web:.1f} × the no-op view's."


def _median(costs: list[Cost]) -> Cost:
    return Cost(*(median(numbers) for numbers in zip(*costs, strict=True)))


def _cost(way: "Callable[[Shopper], None]", address: str, web: int) -> Cost:
    """Of one round."""
    server = cpu.database()
    counted = (lambda: cpu.seconds_of(web), lambda: cpu.seconds_of(server), time.process_time)
    before = [count() for count in counted]
    started = time.perf_counter()
    with ThreadPoolExecutor(SHOPPERS) as shoppers:
        list(shoppers.map(lambda _: _repeat(way, address), range(SHOPPERS)))
    seconds = time.perf_counter() - started
    used = (count() - then for count, then in zip(counted, before, strict=True))
    ours, theirs, generator = (1000 * each / JOURNEYS for each in used)
    return Cost(ours, theirs, generator, JOURNEYS / seconds)


def _repeat(way: "Callable[[Shopper], None]", address: str) -> None:
    for _ in range(JOURNEYS_OF_EACH):
        shopper = Shopper(address)
        way(shopper)
        shopper.leave()


# --- the shopper --------------------------------------------------------------------------------


class Shopper:
    """A new browser, with cookies of its own and one connection."""

    def __init__(self, address: str) -> None:
        self._connection = http.client.HTTPConnection(address, timeout=30)
        self._cookies: dict[str, str] = {}

    def get(self, path: str, **headers: str) -> str:
        return self._send("GET", path, None, headers)[0]

    def redirected(self, path: str) -> str:
        return str(self._send("GET", path, None, {})[1]["Location"])

    def post(self, path: str, page: str, **fields: object) -> tuple[str, http.client.HTTPMessage]:
        """Sends a form of this page, by htmx."""
        form = {**fields, "csrfmiddlewaretoken": _field("csrfmiddlewaretoken", page)}
        if "idempotency_key" in page:
            form["idempotency_key"] = _field("idempotency_key", page)
        return self._send("POST", path, urlencode(form), HTMX | FORM)

    def leave(self) -> None:
        self._connection.close()

    def _send(
        self, verb: str, path: str, body: str | None, headers: dict[str, str]
    ) -> tuple[str, http.client.HTTPMessage]:
        cookies = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        known = {"Cookie": cookies} if cookies else {}
        self._connection.request(verb, path, body, {"Accept-Encoding": "gzip", **known, **headers})
        response = self._connection.getresponse()
        content = response.read()
        assert response.status < 400, (verb, path, response.status, content)
        for cookie in response.headers.get_all("Set-Cookie") or ():
            self._cookies |= {name: said.value for name, said in SimpleCookie(cookie).items()}
        zipped = response.headers.get("Content-Encoding") == "gzip"
        return (gzip.decompress(content) if zipped else content).decode(), response.headers


def journey(shopper: Shopper) -> None:
    """From a product's page to the receipt."""
    shopper.get("/p/p-0/")
    dialog = shopper.get("/p/p-0/reserve/", **HTMX)
    _, headers = shopper.post("/p/p-0/reserve/", dialog, warehouse="", quantity=1)
    place = headers["HX-Redirect"]
    page = shopper.get(place)
    shopper.post(f"{place}contact/", page, **BUYER | {"email": "", "line1": ""})
    shopper.post(f"{place}contact/", page, **BUYER)
    _, headers = shopper.post(f"{place}confirm/", page, quantity=1, **BUYER)
    back = urlsplit(_pay(headers["HX-Redirect"])).path
    assert "It is yours." in shopper.get(shopper.redirected(back))
    shopper.get("/reservations/holds/", **HTMX)


def _pay(page: str) -> str:
    """Pays at the bank's page; returns the shop's address that it leads back to."""
    where = urlsplit(page)
    bank = http.client.HTTPConnection(where.netloc, timeout=30)
    bank.request("POST", where.path, "way=card", FORM)
    back = bank.getresponse().headers["Location"]
    bank.close()
    return back


def nothing(shopper: Shopper) -> None:
    for _ in range(STEPS):
        shopper.get("/bench/nothing")


def _field(name: str, page: str) -> str:
    found = re.search(f'name="{name}" value="([^"]+)"', page)
    assert found, name
    return found[1]

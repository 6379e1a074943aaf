"""The reviewer with bad intentions, attack by attack, over HTTP against gunicorn."""

import os
import re
import signal
import time
from select import select
from urllib.parse import urlencode
from uuid import uuid4

import psycopg
import pytest

from reservations.engine.locks import Space, number
from tests.api.conftest import NewCaller
from tests.api.http import (
    Caller,
    Crowd,
    Reply,
    Stock,
    merchant,
    reserving,
    somebody_sits_on,
    statuses,
)
from tests.running import Shop, wait_for

pytestmark = pytest.mark.race

ROUNDS, PARALLEL, UNITS = 50, 200, 10
WRONG_KEYS = ["", "x" * 256, "a b", "'; drop table x; --", "kl\u00fcver"]
WAITING = "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted)"


def test_1_two_hundred_at_once_for_ten_units_fifty_times(shop: Shop, stock: Stock) -> None:
    shelves = stock.many(ROUNDS, UNITS)
    with Crowd(shop, PARALLEL) as crowd:
        for slug in shelves:
            replies = crowd.at_once([reserving(slug) for _ in range(PARALLEL)])
            assert statuses(replies) == {201: UNITS, 409: PARALLEL - UNITS}
            assert {reply.code for reply in replies if reply.status == 409} == {
                "insufficient_stock"
            }
    for slug in shelves:
        assert stock.row(slug) == (UNITS, UNITS)
        assert stock.pending(slug) == UNITS


def test_2_twenty_four_at_once_with_one_key_are_one_reservation(shop: Shop, stock: Stock) -> None:
    slug, key = stock.of(50), str(uuid4())
    once = reserving(slug, Idempotency_Key=key, X_Forwarded_For="203.0.113.7")
    with Crowd(shop, 24) as crowd:
        replies = crowd.at_once([once] * 24)
    assert statuses(replies) == {201: 24}
    assert len({reply.body for reply in replies}) == 1
    assert sum("idempotent-replay" in reply.headers for reply in replies) == 23
    assert stock.row(slug) == (50, 1)


def test_2_a_first_visitors_clicks_all_at_once_are_one_hold(
    shop: Shop, stock: Stock, caller: Caller
) -> None:
    """Posts the form without JavaScript; all requests are sent before any response."""
    slug = stock.of(50)
    page = caller.get(f"/p/{slug}/reserve/").body.decode()
    fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]+)"', page))
    body = urlencode({**fields, "warehouse": "", "quantity": 1}).encode()
    cookies = "; ".join(f"{name}={value}" for name, value in caller.cookies.items())
    click = (
        f"POST /p/{slug}/reserve/ HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookies}\r\n"
        f"X-Forwarded-For: {caller.address}\r\nContent-Length: {len(body)}\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n\r\n"
    ).encode() + body
    with Crowd(shop, 8) as crowd:
        replies = crowd.at_once([click] * 8)
    assert statuses(replies) == {303: 8}
    assert len({reply.headers["location"] for reply in replies}) == 1
    assert stock.row(slug) == (50, 1)


def test_2_the_same_key_of_another_client_is_another_key(
    shop: Shop, stock: Stock, new_caller: NewCaller
) -> None:
    slug, key = stock.of(50), str(uuid4())
    callers = [new_caller(), new_caller(), new_caller(merchant(shop, "reserve"))]
    replies = [caller.reserve(slug, Idempotency_Key=key) for caller in callers]
    assert statuses(replies) == {201: 3}
    assert len({reply.json["id"] for reply in replies}) == 3
    assert stock.row(slug) == (50, 3)


def test_2_a_key_still_in_use_elsewhere_is_in_flight_and_stores_nothing(
    shop: Shop, stock: Stock, caller: Caller
) -> None:
    slug, key = stock.of(5), str(uuid4())
    lock = number(Space.KEY, f"address:{caller.address}/32", "api:reserve", key)
    with psycopg.connect(shop.owner_url) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [lock])
        reply = caller.reserve(slug, Idempotency_Key=key)
    assert (reply.status, reply.code, reply.headers["retry-after"]) == (425, "in_flight", "1")
    assert stock.row(slug) == (5, 0)
    assert caller.reserve(slug, Idempotency_Key=key).status == 201


@pytest.mark.parametrize("key", WRONG_KEYS)
def test_3_an_invalid_key_stores_nothing(caller: Caller, stock: Stock, key: str) -> None:
    slug, keys = stock.of(5), stock.keys()
    reply = caller.reserve(slug, Idempotency_Key=key.encode().decode("latin-1"))
    assert (reply.status, reply.code) == (400, "invalid_idempotency_key")
    assert stock.row(slug) == (5, 0)
    assert stock.keys() == keys


@pytest.mark.parametrize("character", ["\0", "\x01", "\x7f"])
def test_3_a_key_with_control_characters_stores_nothing(
    shop: Shop, stock: Stock, character: str
) -> None:
    """The web server itself refuses some of them."""
    slug = stock.of(5)
    with Crowd(shop, 1) as crowd:
        (reply,) = crowd.at_once([reserving(slug, Idempotency_Key=f"a{character}b")])
    assert reply.status == 400
    assert stock.row(slug) == (5, 0)


def test_6_a_locked_row_is_busy_and_no_thread_hangs(
    shop: Shop, stock: Stock, caller: Caller
) -> None:
    stuck, free = stock.of(5), stock.of(1)
    with somebody_sits_on(shop, stock.row_id(stuck)), Crowd(shop, 100) as crowd:
        begun = time.monotonic()
        crowd.at_once([reserving(free)] * 100)
        started = time.monotonic()
        replies = crowd.at_once([reserving(stuck)] * 100)
        # Only the first of 32 threads wait for the full lock timeout, 2 s; for 100 that would be
        # four rounds. The rest is what as many calls take that wait for nothing.
        assert time.monotonic() - started < 6 + 5 * (started - begun)
        assert statuses(replies) == {503: 100}
        assert {(reply.code, reply.headers["retry-after"]) for reply in replies} == {("busy", "2")}
    assert caller.reserve(stuck).status == 201
    assert stock.balanced(stuck)


def test_6_other_rows_are_sold_while_one_is_locked(
    shop: Shop, stock: Stock, caller: Caller
) -> None:
    stuck, other = stock.of(5), stock.of(50)
    with somebody_sits_on(shop, stock.row_id(stuck)), Crowd(shop, 12) as crowd:
        crowd.send([reserving(stuck)] * 12)
        wait_for(lambda: shop.sql(WAITING) == [(True,)])
        assert caller.reserve(other).status == 201
        assert select(crowd.sockets, [], [], 0)[0] == [], "the lock was waited for to the end"
        assert statuses([caller.reserve(other) for _ in range(5)]) == {201: 5}
        assert statuses(crowd.replies()) == {503: 12}


def test_7_without_a_database_calls_are_busy_until_it_is_back(
    shop: Shop, stock: Stock, caller: Caller
) -> None:
    slug = stock.of(500)
    held = caller.reserve(slug)
    # So that all connections of the shop are open when the server dies.
    with Crowd(shop, 64) as crowd:
        assert statuses(crowd.at_once([reserving(slug) for _ in range(64)])) == {201: 64}
    before = shop.child("bin/postgres")
    os.kill(before, signal.SIGKILL)
    refusals: list[Reply] = []

    def is_back() -> bool:
        # The dead server's last child may respond once more before it notices. Each process of the
        # shop comes back by itself, so the one that is asked for `read` may be later.
        another = shop.child("bin/postgres") not in {0, before}
        reserved = caller.reserve(slug)
        read = caller.get(held.headers["location"], Authorization=f"Bearer {held.json['token']}")
        refusals.extend(reply for reply in (reserved, read) if reply.status >= 400)
        return another and (reserved.status, read.json.get("status")) == (201, "pending")

    wait_for(is_back)
    # There may be none: a caller gets a connection if the server is back within 5 s.
    assert {(it.code, it.headers["retry-after"]) for it in refusals} <= {("busy", "2")}
    assert stock.balanced(slug)


def body(text: str) -> bytes:
    return text.replace("TIDAL", "tidal").encode()


@pytest.mark.parametrize(
    ("sent", "kind", "answer"),
    [
        (body('{"product":"TIDAL","quantity":1}'), "text/plain", (415, "unsupported_media_type")),
        (b"product=tidal&quantity=1", "application/x-www-form-urlencoded",
            (415, "unsupported_media_type")),
        (body('{"product":"TIDAL","quantity":1}'), "application/json; charset=utf-16",
            (415, "unsupported_media_type")),
        (b" " * 4_000_000, "application/json", (413, "too_large")),
        (body('{"product":"TIDAL","quantity":1,"quantity":2}'), "", (400, "unparsable")),
        (body('{"product":"TIDAL","quantity":NaN}'), "", (400, "unparsable")),
        (body('{"product":"TIDAL","quantity":1e2}'), "", (422, "invalid")),
        (body('{"product":"TIDAL","quantity":1.0}'), "", (422, "invalid")),
        (body('{"product":"TIDAL","quantity":"2"}'), "", (422, "invalid")),
        (body('{"product":"TIDAL","quantity":true}'), "", (422, "invalid")),
        (body('{"product":"TIDAL","quantity":-1}'), "", (422, "invalid")),
        (body('{"product":"TIDAL","quantity":0}'), "", (422, "invalid")),
        (body('{"product":"TIDAL","quantity":null}'), "", (422, "invalid")),
        (body('{"product":"TIDAL","quantity":1000000000000}'), "", (422, "invalid")),
        (body('{"product":"TIDAL","quantity":9223372036854775808}'), "", (422, "invalid")),
        (body('{"product":"TIDAL","quantity":' + "9" * 5000 + "}"), "", (400, "unparsable")),
        (body('{"product":"TIDAL\\u0000","quantity":1}'), "", (422, "invalid")),
        (body('{"product":"TIDAL\\n","quantity":1}'), "", (422, "invalid")),
        (body('{"product":"TIDAL","quantity":1,"customer":"a\\u0007"}'), "", (422, "invalid")),
        (body('{"product":"\\ud800","quantity":1}'), "", (422, "invalid")),
        (body('{"product":"TIDAL","quantity":1,"price":1}'), "", (422, "invalid")),
        (body('{"product":"TIDAL","quantity":1,"\\ud800":1}'), "", (422, "invalid")),
        (body('{"product":"TIDAL"}'), "", (422, "invalid")),
        (b"[]", "", (422, "invalid")),
        (b"null", "", (422, "invalid")),
        (b'"x"', "", (422, "invalid")),
        (b"[" * 16_000, "", (400, "unparsable")),
        (b"\xff\xfe", "", (400, "unparsable")),
        (b"\xef\xbb\xbf{}", "", (400, "unparsable")),
        (b"{", "", (400, "unparsable")),
        (b"", "application/json", (400, "unparsable")),
    ],
)  # fmt: skip
def test_8_an_invalid_body_is_refused(caller: Caller, sent: bytes, kind: str, answer) -> None:
    reply = caller.post("/api/reservations", sent, Content_Type=kind or "application/json")
    assert (reply.status, reply.code) == answer


def test_8_an_endless_chunked_body_is_refused_and_a_short_one_read(
    shop: Shop, stock: Stock
) -> None:
    slug = stock.of(5)
    head = reserving(slug).partition(b"\r\n\r\n")
    chunked = [
        line for line in head[0].split(b"\r\n") if not line.startswith(b"Content-Length")
    ] + [b"Transfer-Encoding: chunked"]
    start = b"\r\n".join(chunked) + b"\r\n\r\n"
    short = b"%x\r\n%s\r\n0\r\n\r\n" % (len(head[2]), head[2])
    long = b"4000\r\n" + b" " * 0x4000 + b"\r\n"
    with Crowd(shop, 2) as crowd:
        replies = crowd.at_once([start + short, start + long * 20 + b"0\r\n\r\n"])
    assert [reply.status for reply in replies] == [201, 413]
    assert replies[1].code == "too_large"


def test_9_a_cookie_with_a_foreign_origin_and_no_token_is_refused(
    caller: Caller, stock: Stock
) -> None:
    slug = stock.of(5)
    caller.browse()
    assert caller.reserve(slug, 1, **caller.csrf).status == 201
    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": "https://evil.example", **caller.csrf},
        {"Origin": "null", **caller.csrf},
        {},
        {"X_CSRFToken": "x" * 64},
    ):
        reply = caller.reserve(slug, 1, **headers)
        assert (reply.status, reply.code) == (403, "csrf_failed"), headers
    assert stock.row(slug) == (5, 1)


@pytest.mark.parametrize("shown", ["csrftoken", "sessionid"])
def test_9_a_cookie_without_a_holder_is_anonymous_and_a_retry_acts_once(
    caller: Caller, stock: Stock, shown: str
) -> None:
    slug = stock.of(5)
    caller.browse()
    del caller.cookies["allo_visitor"]
    caller.cookies[shown] = caller.cookies["csrftoken"]
    key = {"Idempotency_Key": str(uuid4()), **caller.csrf}
    first, again = (caller.reserve(slug, 1, **key) for _ in range(2))
    assert first.json["token"]
    assert first.body == again.body
    assert caller.reserve(slug, 1).code == "csrf_failed"
    assert stock.row(slug) == (5, 1)


def test_10_anothers_reservation_is_404_like_an_unknown_one(
    shop: Shop, stock: Stock, new_caller: NewCaller
) -> None:
    slug = stock.of(5)
    owner, other, nobody, bearer = (new_caller() for _ in range(4))
    merchant_one = new_caller(merchant(shop, "read", "reserve", "confirm", "manage"))
    owner.browse()
    other.browse()
    bearer.token = other_token = bearer.reserve(stock.of(1)).json["token"]
    assert other_token
    mine = owner.reserve(slug, 1, **owner.csrf).headers["location"]
    unknown = f"/api/reservations/{uuid4()}"
    for stranger in (other, nobody, merchant_one, bearer):
        csrf = stranger.csrf if stranger.cookies else {}
        for call in ("", "/confirm", "/release", "/renew"):
            method = "POST" if call else "GET"
            replies = [stranger.call(method, f"{where}{call}", **csrf) for where in (mine, unknown)]
            assert [(r.status, r.code) for r in replies] == [(404, "not_found")] * 2
            # Each answer has the id of its own request.
            assert replies[0].json | {"request_id": ""} == replies[1].json | {"request_id": ""}
        assert stranger.get(f"/checkout/{mine.rsplit('/', 1)[1]}/").status == 404
    assert owner.get(mine).json["status"] == "pending"


def test_14_500_posts_of_one_address_hold_no_more_than_its_cap(shop: Shop, stock: Stock) -> None:
    slug, cap = stock.of(1000), 20
    requests = [
        reserving(slug, 1, X_Forwarded_For="198.51.100.9", **_fresh_cookie(n)) for n in range(500)
    ]
    replies = []
    with Crowd(shop, 100) as crowd:
        for start in range(0, 500, 100):
            replies += crowd.at_once(requests[start : start + 100])
            assert stock.pending(slug) <= cap
    assert statuses(replies) == {201: cap, 409: 500 - cap}
    assert {reply.code for reply in replies if reply.status == 409} == {"limit_reached"}
    with Caller(shop) as another:
        assert another.reserve(slug).status == 201
    assert stock.balanced(slug)


def _fresh_cookie(number: int) -> dict[str, str]:
    """Every other client is a browser that has deleted its cookies."""
    secret = uuid4().hex
    cookies = f"csrftoken={secret}; allo_visitor={secret:a<43}"
    return {"Cookie": cookies, "X_CSRFToken": secret} if number % 2 else {}

"""Bodies that are malformed, incomplete or chunked, sent byte by byte to the running shop."""

import re
import socket

import pytest

from tests.api.http import Caller, Stock
from tests.running import Shop

FORM = "application/x-www-form-urlencoded"
PARTS = "multipart/form-data; boundary=x"
MALFORMED = {
    "no size": b"zz\r\nabc\r\n0\r\n\r\n",
    "longer than its size": b"3\r\nabcdef\r\n0\r\n\r\n",
    "a bad extension": b'3;=";\r\nabc\r\n0\r\n\r\n',
    "cut short": b"5\r\nab",
    "without an end": b"3\r\nabc\r\n",
    "a bad trailer": b"0\r\nbad trailer\r\n\r\n",
}
TARGETS = [
    ("/api/reservations", "application/json"), ("/p/tidal/reserve/", FORM),
    ("/p/tidal/reserve/", PARTS), ("/admin/login/", FORM),
]  # fmt: skip


def send(shop: Shop, path: str, content_type: str, body: bytes, *headers: str) -> tuple[int, str]:
    """The status and the rest of the response; nothing is sent after the body."""
    # With the cookie, a form is read before the CSRF check; a call with cookies is a browser's.
    cookie = [] if path.startswith("/api/") else [f"Cookie: csrftoken={'a' * 32}"]
    lines = [
        f"POST {path} HTTP/1.1", "Host: localhost", "Connection: close",
        f"Content-Type: {content_type}", *cookie, *headers,
    ]  # fmt: skip
    with socket.create_connection(("127.0.0.1", shop.port), timeout=60) as client:
        client.sendall("\r\n".join([*lines, "", ""]).encode() + body)
        client.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: client.recv(65536), b"")).decode()
    return int(answer.split(" ", 2)[1]), answer


@pytest.fixture
def complaints(shop: Shop):
    """The web server's log has no new traceback at the end."""
    log = shop.state / "log" / "web.log"
    before = log.read_text().count("Traceback")
    yield
    assert log.read_text().count("Traceback") == before


@pytest.mark.usefixtures("complaints")
@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED.keys())
@pytest.mark.parametrize(("path", "content_type"), TARGETS)
def test_a_malformed_chunked_body_is_refused_with_400(shop, path, content_type, body) -> None:
    status, answer = send(shop, path, content_type, body, "Transfer-Encoding: chunked")
    assert status == 400, answer
    assert path.startswith("/api/") == ('"code":"bad_request"' in answer)


@pytest.mark.usefixtures("complaints")
@pytest.mark.parametrize(("path", "content_type"), TARGETS)
def test_a_body_shorter_than_its_content_length_is_refused(shop, path, content_type) -> None:
    status, answer = send(shop, path, content_type, b"quantity=1", "Content-Length: 11")
    assert status == 400, answer


def test_a_chunked_form_is_accepted(shop: Shop, caller: Caller, stock: Stock) -> None:
    slug = stock.of(5)
    page = caller.get(f"/p/{slug}/reserve/").body.decode()
    fields = dict(re.findall(r'name="(csrfmiddlewaretoken|idempotency_key)" value="([^"]+)"', page))
    form = "&".join(f"{name}={value}" for name, value in {**fields, "quantity": "2"}.items())
    pieces = [form[:20].encode(), form[20:].encode()]
    caller.connection.request(
        "POST", f"/p/{slug}/reserve/", iter(pieces),
        {"Content-Type": FORM, "Transfer-Encoding": "chunked",
         "X-Forwarded-For": caller.address,
         "Cookie": "; ".join(f"{name}={value}" for name, value in caller.cookies.items())},
        encode_chunked=True,
    )  # fmt: skip
    answer = caller.connection.getresponse()
    answer.read()
    assert answer.status == 303
    assert stock.row(slug) == (5, 2)


def test_a_chunked_form_without_end_is_refused(shop: Shop) -> None:
    piece = b"100000\r\n" + b"a" * (1 << 20) + b"\r\n"
    status, _ = send(shop, "/p/tidal/reserve/", FORM, piece * 12, "Transfer-Encoding: chunked")
    assert status == 400

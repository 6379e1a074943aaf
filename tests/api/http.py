"""API clients of a running shop, with persistent connections."""

import json
import random
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from http.client import HTTPConnection, HTTPException
from ipaddress import IPv4Address
from itertools import count
from typing import Any, Self
from uuid import uuid4

import psycopg

from tests.running import Shop, wait_for

_numbers = count()


def new_address() -> str:
    return str(IPv4Address(0x0A000000 + random.getrandbits(24)))


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        assert self.headers["content-type"] == "application/problem+json", self
        assert self.json["status"] == self.status
        return str(self.json["code"])


class Caller:
    """One connection. `cookies` and `token`, once set, are sent with each call."""

    def __init__(self, shop: Shop, token: str = "") -> None:
        self.shop = shop
        self.token = token
        self.cookies: dict[str, str] = {}
        self.address = new_address()
        self.connection = HTTPConnection("127.0.0.1", shop.port, timeout=60)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        """`body` as JSON unless it is bytes; headers with _ for -."""
        sent = {"X-Forwarded-For": self.address}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        if isinstance(body, bytes):
            content = body
        else:
            content = json.dumps(body).encode() if body is not None else b""
        if content:
            sent.setdefault("Content-Type", "application/json")
        if self.token:
            sent.setdefault("Authorization", f"Bearer {self.token}")
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        self.connection.request(method, path, content or None, sent)
        answer = self.connection.getresponse()
        for line in answer.headers.get_all("Set-Cookie") or ():
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value
        found = {name.lower(): value for name, value in answer.headers.items()}
        return Reply(answer.status, found, answer.read())

    def get(self, path: str, **headers: str) -> Reply:
        return self.call("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Reply:
        return self.call("POST", path, body, **headers)

    def reserve(self, product: str, quantity: int = 1, **headers: Any) -> Reply:
        return self.post("/api/reservations", {"product": product, "quantity": quantity}, **headers)

    def browse(self) -> None:
        """Becomes a browser that has seen the form: with the shop's two cookies."""
        self.get("/p/tidal/reserve/")
        assert {"csrftoken", "allo_visitor"} == self.cookies.keys()

    @property
    def csrf(self) -> dict[str, str]:
        return {"X_CSRFToken": self.cookies["csrftoken"]}


class Stock:
    """Products of their own for each test, in a running shop."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop

    def many(self, products: int, units: int) -> list[str]:
        return [self.of(units) for _ in range(products)]

    def of(self, units: int) -> str:
        """A new product with this many units in one warehouse; its slug."""
        slug = f"test-{next(_numbers)}-{uuid4().hex[:6]}"
        self.shop.sql(f"""
            WITH product AS (
                INSERT INTO catalog_product (slug, name, category_id, tagline, description,
                    material, dimensions_cm, price_paise, image, width, height, widths, alt,
                    dominant_hex, position, published_at)
                SELECT '{slug}', '{slug}', category_id, '', '', '', '', 100, image, width, height,
                    widths, alt, dominant_hex, 100000, now() FROM catalog_product LIMIT 1
                RETURNING id
            ), shelf AS (
                INSERT INTO inventory_inventory (product_id, warehouse_id, total_units,
                    reserved_units)
                SELECT product.id, w.id, {units}, 0 FROM product, inventory_warehouse w
                WHERE w.code = 'blr-01' RETURNING id
            )
            INSERT INTO inventory_stockmovement (inventory_id, delta, reason, note)
            SELECT id, {units}, 'opening', '' FROM shelf
        """)
        return slug

    def row(self, slug: str) -> tuple[int, int]:
        """(total, reserved)"""
        ((total, reserved),) = self.shop.sql(f"""
            SELECT total_units, reserved_units FROM inventory_inventory i
            JOIN catalog_product p ON p.id = i.product_id WHERE p.slug = '{slug}'
        """)
        return total, reserved

    def row_id(self, slug: str) -> int:
        ((found,),) = self.shop.sql(f"""
            SELECT i.id FROM inventory_inventory i
            JOIN catalog_product p ON p.id = i.product_id WHERE p.slug = '{slug}'
        """)
        return int(found)

    def pending(self, slug: str) -> int:
        ((held,),) = self.shop.sql(f"""
            SELECT coalesce(sum(quantity), 0) FROM reservations_reservation r
            JOIN inventory_inventory i ON i.id = r.inventory_id
            JOIN catalog_product p ON p.id = i.product_id
            WHERE p.slug = '{slug}' AND r.status = 'pending'
        """)
        return int(held)

    def balanced(self, slug: str) -> bool:
        total, reserved = self.row(slug)
        return 0 <= reserved <= total and reserved == self.pending(slug)

    def keys(self) -> int:
        ((found,),) = self.shop.sql("SELECT count(*) FROM reservations_idempotencykey")
        return int(found)


def merchant(shop: Shop, *scopes: str, rate: str = "off", max_units: int = 0) -> str:
    """An API token as staff would make it."""
    secret = f"allo_{uuid4().hex}{uuid4().hex}"
    digest = sha256(secret.encode()).hexdigest()
    shop.sql(f"""
        INSERT INTO reservations_apitoken (name, prefix, digest, scopes, rate, max_units)
        VALUES ('test', '{secret[:11]}', '\\x{digest}', '{{{",".join(scopes)}}}', '{rate}',
            {max_units})
    """)
    return secret


@contextmanager
def somebody_sits_on(shop: Shop, row: int) -> Iterator[None]:
    with psycopg.connect(shop.owner_url) as connection:
        connection.execute("SELECT 1 FROM inventory_inventory WHERE id = %s FOR UPDATE", [row])
        yield
        connection.rollback()


class Crowd:
    """Connections that all send at once, each a prepared request."""

    def __init__(self, shop: Shop, size: int) -> None:
        self.sockets = [
            socket.create_connection(("127.0.0.1", shop.port), timeout=60) for _ in range(size)
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for connection in self.sockets:
            connection.close()

    def at_once(self, requests: Sequence[bytes]) -> list[Reply]:
        self.send(requests)
        return self.replies()

    def send(self, requests: Sequence[bytes]) -> None:
        for connection, request in zip(self.sockets, requests, strict=True):
            connection.sendall(request)

    def replies(self) -> list[Reply]:
        return [_reply(connection) for connection in self.sockets]


def reserving(product: str, quantity: int = 1, **headers: Any) -> bytes:
    """A whole anonymous request, from an address of its own unless one is given."""
    body = json.dumps({"product": product, "quantity": quantity}).encode()
    headers = {"X_Forwarded_For": new_address(), **headers}
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return (
        f"POST /api/reservations HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n"
        f"Content-Type: application/json\r\n{lines}\r\n"
    ).encode() + body


def _reply(connection: socket.socket) -> Reply:
    head, body = b"", b""
    while b"\r\n\r\n" not in head:
        received = connection.recv(65536)
        assert received, "the connection was closed"
        head += received
    head, _, body = head.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += connection.recv(65536)
    return Reply(int(status.split()[1]), headers, body)


def statuses(replies: Sequence[Reply]) -> dict[int, int]:
    found = [reply.status for reply in replies]
    return {status: found.count(status) for status in sorted(set(found))}


def until_it_answers(caller: Caller) -> None:
    """Waits until gunicorn has started, or has replaced a worker that died."""

    def answers() -> bool:
        with suppress(OSError, HTTPException):
            return caller.get("/livez").status == 200
        caller.connection.close()
        return False

    wait_for(answers)

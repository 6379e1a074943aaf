"""The pages of waiting rooms: `/live/room/<number>/?place=…`, and their streams below it."""

import re
from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlencode, urlsplit

from django.conf import settings
from django.core.signing import BadSignature
from redis.exceptions import RedisError

from allo.live.rooms import page
from allo.live.rooms.answers import Numbers
from allo.live.rooms.keeper import Keeper
from allo.live.rooms.passes import Place, read_place, sign_ticket

Send = Callable[[dict[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

ADDRESS = re.compile(r"/live/room/([0-9]{1,18})/(stream)?")

# The address has the place in it.
PAGE: Headers = [
    (b"content-type", b"text/html; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
]
LATER = (b"retry-after", str(page.SOON).encode())
POLICY = (
    "default-src 'none'; script-src {0}; style-src {0}; img-src {1} data:; font-src {0};"
    " connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)


class Address(NamedTuple):
    room: int
    is_stream: bool
    query: str

    @classmethod
    def of(cls, scope: dict[str, Any]) -> "Address | None":
        found = ADDRESS.fullmatch(scope["path"])
        return found and cls(int(found[1]), bool(found[2]), scope["query_string"].decode("latin-1"))

    @property
    def place(self) -> Place:
        """Raises `BadSignature`."""
        try:
            asked = parse_qs(self.query, max_num_fields=2)
        except ValueError as error:
            raise BadSignature("not a place") from error
        return read_place(asked.get("place", [""])[-1], room=self.room)


async def show(keeper: Keeper, address: Address, send: Send) -> None:
    """The page; for a visitor whose turn it is, a redirect to the shop with a ticket."""
    try:
        place = address.place
    except BadSignature:
        return await _answer(send, 403, page.refused(), _policy(None))
    room = keeper.room(place.room)
    try:
        found = await keeper.look(place)
    except (RedisError, OSError):
        return await _answer(send, 503, page.lost(room.page), _policy(room.numbers), LATER)
    if found is None:
        return await _answer(send, 404, page.unknown(room.page), _policy(room.numbers))
    numbers, seen = found
    if seen.state == "in":
        ticket = sign_ticket(keeper.ticket(place, seen))
        return await _answer(send, 303, b"", (b"location", _with(numbers.back, ticket)))
    return await _answer(send, 200, page.fill(room.page, numbers, seen), _policy(numbers))


def _with(back: str, ticket: str) -> bytes:
    return f"{back}{'&' if '?' in back else '?'}{urlencode({'ticket': ticket})}".encode()


def _policy(numbers: Numbers | None) -> tuple[bytes, bytes]:
    return b"content-security-policy", _policy_for(numbers.back if numbers else "")


@lru_cache(maxsize=64)
def _policy_for(back: str) -> bytes:
    """The shop's files may have another origin than the live process, and its pictures one more."""
    shop = urlsplit(back)
    origin = f"{shop.scheme}://{shop.netloc}" if shop.netloc else "'self'"
    pictures = f"{origin} {settings.MEDIA_ORIGIN}".strip()
    return POLICY.format(origin, pictures).encode()


async def _answer(send: Send, status: int, body: bytes, *more: tuple[bytes, bytes]) -> None:
    headers = [*PAGE, (b"content-length", str(len(body)).encode()), *more]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})

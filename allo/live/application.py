"""The ASGI application: event streams and the pages of waiting rooms. It needs neither database nor
session."""

import asyncio
import math
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from django.core.signing import BadSignature

from allo import request_id
from allo.live.asked import Scope, listening, too_much
from allo.live.hub import Hub
from allo.live.lasting import lasting
from allo.live.listener import listen
from allo.live.message import Message
from allo.live.rooms import serving
from allo.live.rooms.keeper import Keeper
from allo.live.rooms.serving import Address
from allo.live.rooms.store import topic_of
from allo.live.tokens import Listening
from allo.metrics import counters
from allo.web.address import with_around

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

HEARTBEAT_SECONDS = 15
RETRY_AFTER_SECONDS = 15
# Clients that lose their streams at the same time reconnect at different times.
RECONNECT_MS, RECONNECT_SPREAD_MS = 2000, 3000

STREAM: Headers = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]


class Application:
    def __init__(
        self,
        *,
        redis_url: str,
        origins: Iterable[str],
        network_of: Callable[[Scope], str],
        max_clients: int,
        max_per_network: int,
    ) -> None:
        """At most `max_clients` streams, `max_per_network` for one network (0 is no limit), and
        for the networks around it a few times as many (`with_around`). `network_of` names the
        network of a request."""
        self._redis_url = redis_url
        self._origins = {origin.encode() for origin in origins}
        self._network_of = network_of
        self._max_clients = max_clients
        self._max_per_network = max_per_network or max_clients
        self._streams_of: Counter[str] = Counter()
        self._stopping = False
        self._opened = 0
        self._tasks: list[asyncio.Task[None]] = []
        self.hub = Hub()
        self._keeper = Keeper(redis_url)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            request_id.begin()
            await self._answer(scope, send)

    def stop(self) -> None:
        """Ends every stream, and refuses new ones."""
        self._stopping = True
        self.hub.close()

    # --- startup and shutdown -----------------------------------------------

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        self._tasks = [
            asyncio.create_task(lasting(task))
            for task in (self._listen, self._beat, self._keeper.run)
        ]
        await send({"type": "lifespan.startup.complete"})
        await receive()
        for task in self._tasks:
            task.cancel()
        await send({"type": "lifespan.shutdown.complete"})

    async def _listen(self) -> None:
        await listen(self._redis_url, self.hub, self._hear)

    def _hear(self, messages: list[Message]) -> None:
        self.hub.changed(messages)
        self._keeper.hear(messages)

    async def _beat(self) -> None:
        """Sends each stream a heartbeat every `HEARTBEAT_SECONDS`, spread over that time."""
        while True:
            clients = list(self.hub.clients)
            for turn in range(HEARTBEAT_SECONDS):
                await asyncio.sleep(1)
                self.hub.beat(
                    client
                    for client in clients[turn::HEARTBEAT_SECONDS]
                    if client in self.hub.clients
                )

    # --- requests -------------------------------------------------------------------------------

    async def _answer(self, scope: Scope, send: Send) -> None:
        headers = self._cors(scope)
        if scope["method"] != "GET":
            await _short(send, 405, [*headers, (b"allow", b"GET")])
        elif refused := too_much(scope):
            await _short(send, refused, headers)
        elif scope["path"] == "/live/health":
            await _short(send, 503 if self._stopping else 200, headers, self._report())
        elif scope["path"] == "/live/":
            await self._stream(scope, send, headers, lambda: (listening(scope), nullcontext()))
        elif not (address := Address.of(scope)):
            await _short(send, 404, headers)
        elif address.is_stream:
            await self._stream(scope, send, headers, lambda: self._waiting(address))
        else:
            await serving.show(self._keeper, address, send)

    def _waiting(self, address: Address) -> tuple[Listening, AbstractContextManager[None]]:
        """What the page of a waiting room listens to; while it does, its visitor is there."""
        its_room = Listening(frozenset([topic_of(address.room)]), math.inf)
        return its_room, self._keeper.watching(address.place)

    async def _stream(
        self,
        scope: Scope,
        send: Send,
        headers: Headers,
        read: Callable[[], tuple[Listening, AbstractContextManager[None]]],
    ) -> None:
        networks = with_around(self._network_of(scope))
        if self._is_full(networks):
            counters.STREAMS_REFUSED.inc()
            later = (b"retry-after", str(RETRY_AFTER_SECONDS).encode())
            return await _short(send, 503, [*headers, later])
        try:
            heard, meanwhile = read()
        except BadSignature:
            return await _short(send, 403, headers)
        except ValueError:
            return await _short(send, 400, headers)
        with meanwhile:
            return await self._send_all(heard, [name for name, _ in networks], send, headers)

    async def _send_all(
        self, listening: Listening, networks: Iterable[str], send: Send, headers: Headers
    ) -> None:
        client = self.hub.join(listening)
        self._streams_of.update(networks)
        counters.STREAMS.inc()
        try:
            await send({"type": "http.response.start", "status": 200, "headers": STREAM + headers})
            await _write(send, self._reconnect())
            while message := await client.next():
                await _write(send, message)
            await _write(send, b"", more=False)
        finally:
            self.hub.leave(client)
            counters.STREAMS.dec()
            for network in networks:
                self._streams_of[network] -= 1
                if not self._streams_of[network]:
                    del self._streams_of[network]

    def _is_full(self, networks: Iterable[tuple[str, int]]) -> bool:
        return (
            self._stopping
            or len(self.hub.clients) >= self._max_clients
            or any(self._streams_of[it] >= times * self._max_per_network for it, times in networks)
        )

    def _reconnect(self) -> bytes:
        """The delay before a reconnect, different for each stream."""
        self._opened += 1
        return f"retry: {RECONNECT_MS + self._opened * 701 % RECONNECT_SPREAD_MS}\n\n".encode()

    def _report(self) -> bytes:
        return f"{len(self.hub.clients)} streams\n".encode()

    def _cors(self, scope: Scope) -> Headers:
        """CORS headers for the shop's pages, if the live process has another origin."""
        origin = dict(scope["headers"]).get(b"origin")
        allow = [(b"access-control-allow-origin", origin)] if origin in self._origins else []
        return [(b"vary", b"Origin"), *allow] if self._origins else []


async def _write(send: Send, body: bytes, *, more: bool = True) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})


async def _short(send: Send, status: int, headers: Headers, body: bytes = b"") -> None:
    fixed = [
        (b"content-type", b"text/plain"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": fixed + headers})
    await _write(send, body, more=False)

"""Another system, which webhooks post to: a real HTTP server, on a port of its own."""

import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import standardwebhooks

from tests.hooks.hearing import SECRET
from tests.listening import listening


@dataclass
class Post:
    body: str
    headers: dict[str, str]

    def verified(self, secret: str = SECRET) -> dict[str, Any]:
        """Its content, as the library of Standard Webhooks reads it. Raises if it is forged."""
        return dict(standardwebhooks.Webhook(secret).verify(self.body, self.headers))


@dataclass
class Receiver:
    """`answer` writes the answer to a post."""

    answer: Callable[["Handler"], None]
    port: int = 0
    posts: list[Post] = field(default_factory=list)
    came: threading.Condition = field(default_factory=threading.Condition)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks?to=allo"

    @property
    def kinds(self) -> list[str]:
        return [post.verified()["type"] for post in self.posts]

    def wait(self, number: int) -> None:
        with self.came:
            assert self.came.wait_for(lambda: len(self.posts) >= number, timeout=30), self.posts


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        kept: Receiver = vars(self.server)["receiver"]
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        with kept.came:
            kept.posts.append(Post(body, {k.lower(): v for k, v in self.headers.items()}))
            kept.came.notify_all()
        kept.answer(self)

    do_GET = do_POST  # noqa: N815 - the library's name

    def log_message(self, *_: object) -> None:
        pass


def answers(
    status: int = 200, text: bytes = b"thank you", **headers: str
) -> Callable[[Handler], None]:
    def answer(handler: Handler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(text)))
        handler.end_headers()
        handler.wfile.write(text)

    return answer


def drips(handler: Handler) -> None:
    """A header that hardly ends, faster than any limit of a single read."""
    try:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        for _ in range(600):
            handler.wfile.write(b"a")
            time.sleep(0.05)
    except OSError:
        return


@contextmanager
def receiver(
    answer: Callable[[Handler], None] | None = None, tls: ssl.SSLContext | None = None
) -> Iterator[Receiver]:
    kept = Receiver(answer or answers())
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls:
        server.socket = tls.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    vars(server)["receiver"] = kept
    with listening(server) as kept.port:
        yield kept

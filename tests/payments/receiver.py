"""A server in the place of the shop: it keeps what is posted to it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.listening import listening


@dataclass
class Receiver:
    """`statuses` are those of the next answers; after them it is `status`."""

    status: int = 200
    answer: bytes = b"thank you"
    port: int = 0
    statuses: list[int] = field(default_factory=list)
    posts: list[tuple[bytes, str]] = field(default_factory=list)
    came: threading.Condition = field(default_factory=threading.Condition)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def wait(self, number: int) -> list[tuple[bytes, str]]:
        """The bodies and signatures, once there are so many."""
        with self.came:
            assert self.came.wait_for(lambda: len(self.posts) >= number, timeout=60), self.posts
            return list(self.posts)


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        kept: Receiver = self.server.receiver  # type: ignore[attr-defined]
        with kept.came:
            kept.posts.append((body, self.headers.get("Stripe-Signature", "")))
            status = kept.statuses.pop(0) if kept.statuses else kept.status
            kept.came.notify_all()
        self._answer(status)

    def do_GET(self) -> None:
        self._answer(self.server.receiver.status)  # type: ignore[attr-defined]

    def _answer(self, status: int) -> None:
        answer = self.server.receiver.answer  # type: ignore[attr-defined]
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def receiver(status: int = 200, answer: bytes = b"thank you") -> Iterator[Receiver]:
    kept = Receiver(status, answer)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.receiver = kept  # type: ignore[attr-defined]
    with listening(server) as kept.port:
        yield kept

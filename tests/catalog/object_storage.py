"""A bucket of object storage: the calls of Amazon's protocol that a shop makes."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

NO_SUCH_KEY = b"<Error><Code>NoSuchKey</Code><Message>none</Message></Error>"
SLOW_DOWN = b"<Error><Code>SlowDown</Code><Message>later</Message></Error>"


class ObjectStorage(ThreadingHTTPServer):
    """`files` are the objects by /bucket/name, `caching` their Cache-Control; `is_busy` refuses
    every call."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Calls)
        self.files: dict[str, bytes] = {}
        self.caching: dict[str, str | None] = {}
        self.is_busy = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Calls(BaseHTTPRequestHandler):
    server: ObjectStorage
    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        if self._is_refused():
            return
        self.server.files[self.path] = content
        self.server.caching[self.path] = self.headers["Cache-Control"]
        self._answer(200)

    def do_GET(self) -> None:
        if not self._is_refused():
            found = self.server.files.get(self.path)
            self._answer(*((404, NO_SUCH_KEY) if found is None else (200, found)))

    do_HEAD = do_GET  # noqa: N815 - its base wants this name

    def do_DELETE(self) -> None:
        if not self._is_refused():
            self.server.files.pop(self.path, None)
            self._answer(204)

    def _is_refused(self) -> bool:
        """Without a signature, or while the storage is busy."""
        if self.server.is_busy:
            self._answer(503, SLOW_DOWN)
        elif "Credential=" not in self.headers.get("Authorization", ""):
            self._answer(403)
        else:
            return False
        return True

    def _answer(self, status: int, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", '"x"')
        self.send_header("Last-Modified", "Fri, 27 Nov 2026 06:00:00 GMT")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def object_storage() -> Iterator[ObjectStorage]:
    with ObjectStorage() as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()

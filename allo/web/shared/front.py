"""Shared answers, in front of all middleware: a WSGI application around Django's.

An answer other than a 200 is never kept. An answer that sets a cookie is never shared at all: the
request goes on to Django as it came.
"""

import gzip
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from hashlib import blake2b
from typing import Any

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from allo.web.bodies import readable
from allo.web.parts import PART_STAYS
from allo.web.shared import holes
from allo.web.shared.keys import NOWHERE, Environ, Key, Shareable, environ_of, shareable
from allo.web.shared.store import Crowded, Store
from allo.web.watched import UNKNOWN, VIEW

logger = logging.getLogger(__name__)

Headers = list[tuple[str, str]]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]

MAX_BYTES, MAX_RARE_BYTES = 64_000_000, 8_000_000
RETRY_SECONDS = 2
VARY = "Accept-Encoding, Cookie, HX-Request, HX-Target, HX-Boosted, HX-History-Restore-Request"
# Only our nginx obeys the last one. A browser revalidates each time: after a change of its own it
# has to show the current state.
CACHING = [("Cache-Control", "private, no-cache"), ("Vary", VARY), ("X-Accel-Expires", "1")]
_REPLACED = {"cache-control", "vary", "etag", "content-length", "content-type"}


@dataclass(frozen=True)
class Answer:
    """A finished answer and its parts; compressed once, at the first request for it. It contains
    nothing secret that its compressed length could reveal, so it is not padded."""

    status: str
    content_type: str
    headers: Headers
    body: bytes
    view: str = ""
    is_nowhere: bool = False

    @cached_property
    def parts(self) -> holes.Parts:
        return holes.split(self.body)

    @cached_property
    def plain(self) -> bytes:
        return holes.unknown(self.parts)

    @cached_property
    def zipped(self) -> bytes:
        return gzip.compress(self.plain, compresslevel=6, mtime=0)

    @cached_property
    def etag(self) -> str:
        return f'W/"{blake2b(self.plain, digest_size=12).hexdigest()}"'

    @cached_property
    def sets_cookie(self) -> bool:
        return any(name.lower() == "set-cookie" for name, _ in self.headers)

    @property
    def is_kept(self) -> bool:
        """Whatever the views declare, an answer that sets a cookie is personal."""
        wanted = "404 " if self.is_nowhere else "200 "
        return self.status.startswith(wanted) and not self.sets_cookie

    @property
    def size(self) -> int | None:
        return len(self.body) * 3 if self.is_kept else None


class Front:
    """At most `waiters` threads of the process wait for renderings."""

    def __init__(self, application: Application, *, waiters: int) -> None:
        self._application = application
        self._store, self._rare = (
            Store[Answer](
                size_of=lambda answer: answer.size,
                max_bytes=most,
                waiters=waiters,
                first_time=first_time,
            )
            for most, first_time in ((MAX_BYTES, True), (MAX_RARE_BYTES, False))
        )

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        wanted = shareable(environ) if settings.SHARED_PAGES else None
        if wanted is None:
            return self._application(environ, start_response)
        try:
            answer = self.answer(wanted)
        except Crowded:
            start_response("503 Service Unavailable", _crowded_headers())
            return [b"Very busy right now. Please try again in a moment.\n"]
        environ[VIEW] = answer.view
        if answer.sets_cookie:
            logger.error("not shared, as it sets a cookie: %s", wanted.key.path)
            return self._application(environ, start_response)
        return _send(answer, environ, start_response)

    def answer(self, wanted: Shareable, *, fresh: bool = False) -> Answer:
        store = self._rare if wanted.rare else self._store
        return store.get(wanted.key, lambda: self._render(wanted.key), fresh=fresh)

    def _render(self, key: Key) -> Answer:
        started: list[tuple[str, Headers]] = []
        environ = environ_of(key)
        response = self._application(environ, lambda *said: started.append(said[:2]))
        try:
            body = b"".join(response)
        finally:
            if close := getattr(response, "close", None):
                close()
        ((status, headers),) = started
        kind = next((value for name, value in headers if name.lower() == "content-type"), "")
        kept = [(name, value) for name, value in headers if name.lower() not in _REPLACED]
        return Answer(
            status, kind, kept, body, environ.get(VIEW, UNKNOWN), is_nowhere=key.path == NOWHERE
        )


def _send(answer: Answer, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    headers = [*answer.headers, *CACHING, ("ETag", answer.etag), _now()]
    if not answer.is_kept:
        headers = [*answer.headers, ("Cache-Control", "no-store"), _now()]
    elif answer.etag in environ.get("HTTP_IF_NONE_MATCH", ""):
        start_response("304 Not Modified", headers)
        return []
    zipped = answer.is_kept and _takes_gzip(environ.get("HTTP_ACCEPT_ENCODING", ""))
    body = answer.zipped if zipped else answer.plain
    headers += [("Content-Type", answer.content_type), ("Content-Length", str(len(body)))]
    if zipped:
        headers.append(("Content-Encoding", "gzip"))
    start_response(answer.status, headers)
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]


def _now() -> tuple[str, str]:
    """The server's clock for pages that count down, as a kept page does not know its own age."""
    return ("Server-Timing", f"now;dur={time.time() * 1000:.0f}")


def _takes_gzip(accepted: str) -> bool:
    for coding in accepted.lower().split(","):
        name, _, weight = coding.partition(";")
        if name.strip() == "gzip":
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def _crowded_headers() -> Headers:
    return [
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Retry-After", str(RETRY_SECONDS)),
        ("Cache-Control", "no-store"),
        *PART_STAYS.items(),
    ]


@lru_cache(maxsize=1)
def front() -> Front:
    """The only one of this process."""
    return Front(readable(get_wsgi_application()), waiters=settings.WEB_THREADS // 2)

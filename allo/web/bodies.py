"""Makes request bodies from the web server safe to read.

A body that is incomplete or malformed raises `BadRequest`, a 400: part of a form must never count
as a form, and it is not a server error. Django does not read chunked bodies, which have no
Content-Length, so those of forms are assembled here.
"""

from collections.abc import Callable, Iterable
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO

from django.core.exceptions import BadRequest, RequestDataTooBig
from gunicorn.http.errors import ParseException

from allo.web.uploads import MOST_BYTES

Environ = dict[str, Any]
Application = Callable[[Environ, Any], Iterable[bytes]]

# The largest file that a form takes, plus the other fields.
MOST_IN_CHUNKS = MOST_BYTES + (1 << 20)
IN_MEMORY, PIECE = 1 << 18, 1 << 16


class Body:
    """A body of `length` bytes; None for a chunked body of unknown length."""

    def __init__(self, stream: Any, length: int | None) -> None:
        self._stream = stream
        self._left = length

    def read(self, size: int = -1) -> bytes:
        data = self._taken(self._stream.read, size)
        # The web server returns less than `size` only at the end of the body.
        return self._checked(data, ends=size < 0 or len(data) < size)

    def readline(self, size: int = -1) -> bytes:
        data = self._taken(self._stream.readline, size)
        return self._checked(data, ends=not data and size != 0)

    def _taken(self, read: Callable[[int], bytes], size: int) -> bytes:
        try:
            return read(size)
        except (ParseException, OSError) as error:
            raise BadRequest("the body is malformed, or cut short") from error

    def _checked(self, data: bytes, *, ends: bool) -> bytes:
        if self._left is not None:
            self._left -= len(data)
            if ends and self._left > 0:
                raise BadRequest("the body is shorter than its Content-Length")
        return data


class Refused:
    """A body that cannot be read: reading raises the reason."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def read(self, _size: int = -1) -> bytes:
        raise self._error

    readline = read


def readable(application: Application) -> Application:
    """WSGI middleware."""

    def call(environ: Environ, start_response: Any) -> Iterable[bytes]:
        length = _length(environ)
        body = environ["wsgi.input"] = Body(environ["wsgi.input"], length)
        # The API reads its short bodies itself.
        if length is None and not environ["PATH_INFO"].startswith("/api/"):
            _put_together(environ, body)
        return application(environ, start_response)

    return call


def _length(environ: Environ) -> int | None:
    if environ.get("HTTP_TRANSFER_ENCODING", "").lower() == "chunked":
        return None
    return int(environ.get("CONTENT_LENGTH") or 0)


def _put_together(environ: Environ, body: Body) -> None:
    try:
        whole, length = _whole(body)
    except (BadRequest, RequestDataTooBig) as error:
        whole, length = Refused(error), 1
    environ["wsgi.input"], environ["CONTENT_LENGTH"] = whole, str(length)


def _whole(body: Body) -> tuple[Any, int]:
    whole: BinaryIO = SpooledTemporaryFile(IN_MEMORY)  # type: ignore[assignment]  # noqa: SIM115
    while piece := body.read(PIECE):
        if whole.tell() + len(piece) > MOST_IN_CHUNKS:
            raise RequestDataTooBig("the body is longer than any form takes")
        whole.write(piece)
    length = whole.tell()
    whole.seek(0)
    return whole, length

"""JSON bodies, parsed strictly: whatever two parsers could read differently is refused."""

import json
from io import BytesIO
from typing import Any

from django.http import HttpRequest

from allo.api_kit import problems
from allo.api_kit.problems import MOST_BYTES, Problem

MOST_DRAINED, _PIECE = 8 << 20, 1 << 16


def read_body(request: HttpRequest) -> None:
    """Reads the body, at most `MOST_BYTES` of it, into `request.body`. A longer one is refused; one
    in chunks, whose length is not known before, as soon as it is too long."""
    length = int(request.META.get("CONTENT_LENGTH") or 0)
    if length > MOST_BYTES:
        _let_it_finish(request)
        raise Problem(problems.TOO_LARGE)
    if length == 0 and request.META.get("HTTP_TRANSFER_ENCODING", "").lower() == "chunked":
        body = request.META["wsgi.input"].read(MOST_BYTES + 1)
        if len(body) > MOST_BYTES:
            _let_it_finish(request)
            raise Problem(problems.TOO_LARGE)
        request._body = body
        request._stream = BytesIO(body)


def _let_it_finish(request: HttpRequest) -> None:
    """Drains the rest of a body that is too long, up to a limit: a client that is still sending
    does not read the response, and would only see a closed connection."""
    for _ in range(MOST_DRAINED // _PIECE):
        if not request.META["wsgi.input"].read(_PIECE):
            return


def check_content_type(request: HttpRequest) -> None:
    if request.content_type != "application/json":
        raise Problem(problems.UNSUPPORTED)
    if (request.content_params or {}).get("charset", "utf-8").lower() not in ("utf-8", "utf8"):
        raise Problem(problems.UNSUPPORTED, "Send application/json in UTF-8.")


def loads(body: bytes) -> Any:
    """Raises `Problem`, also for duplicate keys, NaN, and nesting that is too deep."""
    try:
        return json.loads(
            body.decode(), object_pairs_hook=_each_key_once, parse_constant=_no_constant
        )
    except (ValueError, RecursionError):
        raise Problem(problems.UNPARSABLE) from None


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is given twice")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")

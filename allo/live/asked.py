"""What a request for a stream asks for."""

import re
from typing import Any
from urllib.parse import parse_qs

from allo.live.tokens import Listening, read

Scope = dict[str, Any]

# A page has a token for each of its live parts, a grid one for each part of its list; each costs a
# signature check.
MAX_TOKENS = 20
# Microseconds since the epoch.
MOMENT = re.compile(r"[0-9]{1,17}")
# Request headers stay in memory as long as the stream. On the shop's own host they include cookies.
MAX_HEADERS_BYTES = 16_384


def listening(scope: Scope) -> Listening:
    """What the stream listens to, and since when: the last that its browser heard, for a stream
    that was lost, else when the oldest part of its page was read. Raises `BadSignature`, and
    `ValueError` for what no page sends."""
    query = scope["query_string"].decode("latin-1")
    # Two more than the tokens: `at` and `shown`.
    asked = parse_qs(query, max_num_fields=MAX_TOKENS + 2)
    tokens = asked.get("t", [])
    if len(tokens) > MAX_TOKENS:
        raise ValueError("too many tokens")
    found = read(tokens)
    if heard := dict(scope["headers"]).get(b"last-event-id"):
        return found._replace(since=_micros(heard.decode("latin-1")) / 1e6)
    read_at, shown = ([*map(_micros, asked.get(name, []))] for name in ("at", "shown"))
    since = min((found.since, *(at / 1e6 for at in read_at)))
    return found._replace(since=since, shown=frozenset(shown))


def _micros(moment: str) -> int:
    if not MOMENT.fullmatch(moment):
        raise ValueError("not a moment")
    return int(moment)


def too_much(scope: Scope) -> int:
    """The error status for a request with a body or very long headers, which no page sends; else
    0."""
    named = dict(scope["headers"])
    if b"transfer-encoding" in named or named.get(b"content-length", b"0") != b"0":
        return 413
    size = sum(len(name) + len(value) for name, value in scope["headers"])
    return 431 if size > MAX_HEADERS_BYTES else 0

"""A WSGI application that answers every request with as many bytes as `BENCH_BYTES` says."""

import os
from collections.abc import Callable, Iterable
from typing import Any

BODY = b"x" * int(os.environ.get("BENCH_BYTES", "0"))
HEADERS = [("Content-Type", "text/html"), ("Content-Length", str(len(BODY)))]


def application(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("200 OK", HEADERS)
    return [BODY]

"""The `Idempotency-Key` header: what it may look like."""

import re

from django.http import HttpRequest

HEADER = "HTTP_IDEMPOTENCY_KEY"
REPLAY = "Idempotent-Replay"
PATTERN = "[!-~]{1,255}"
_VISIBLE_ASCII = re.compile(PATTERN)


def sent_key(request: HttpRequest) -> str | None:
    """What the header says, None without one."""
    key: str | None = request.META.get(HEADER)
    return key


def is_proper(key: str) -> bool:
    return _VISIBLE_ASCII.fullmatch(key) is not None

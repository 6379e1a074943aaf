"""The headers Idempotency-Key (of a request) and Idempotent-Replay (of a response)."""

import re
from uuid import UUID

from django.http import HttpRequest, HttpResponse

HEADER = "HTTP_IDEMPOTENCY_KEY"
REPLAY = "Idempotent-Replay"
PATTERN = "[!-~]{1,255}"
_VISIBLE_ASCII = re.compile(PATTERN)


def sent_key(request: HttpRequest) -> str | None:
    """The header's value; None without one."""
    key: str | None = request.META.get(HEADER)
    return key


def is_proper(key: str) -> bool:
    return _VISIBLE_ASCII.fullmatch(key) is not None


def is_random_uuid(key: str) -> bool:
    """A key that no other client can guess."""
    try:
        parsed = UUID(key)
    except ValueError:
        return False
    return parsed.version == 4 and str(parsed) == key.lower()


def replayed(response: HttpResponse, was: bool) -> HttpResponse:
    """Marks the response if it repeats an earlier one."""
    if was:
        response.headers[REPLAY] = "true"
    return response

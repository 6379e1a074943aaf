"""The headers of idempotency: the key that is sent, and the word that an answer is a replay."""

import re
from uuid import UUID

from django.http import HttpRequest, HttpResponse

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


def is_random_uuid(key: str) -> bool:
    """A key that no other client thinks of."""
    try:
        parsed = UUID(key)
    except ValueError:
        return False
    return parsed.version == 4 and str(parsed) == key.lower()


def replayed(response: HttpResponse, was: bool) -> HttpResponse:
    """Says so, if the answer is one that was given before."""
    if was:
        response.headers[REPLAY] = "true"
    return response

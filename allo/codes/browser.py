"""The cookie of a browser that asked for a code: the code is of no use in another one.

Its value is random and secret; the database has only its digest.
"""

import re
import secrets
from datetime import timedelta
from hashlib import sha256

from django.conf import settings
from django.http import HttpRequest, HttpResponse

# Longer than a code lasts, so that a page can say that the code has run out.
KEPT = timedelta(hours=1)
_MADE_HERE = re.compile(r"[\w-]{43}", re.ASCII)


def browser_of(request: HttpRequest) -> str:
    """Its digest; "" if it has no cookie."""
    value = request.COOKIES.get(settings.CODE_COOKIE_NAME, "")
    return _digest(value) if _MADE_HERE.fullmatch(value) else ""


def of_next_code(request: HttpRequest) -> tuple[str, str]:
    """The cookie's value for the next code, and its digest. A browser keeps the one it has, as its
    limits count by it."""
    value = request.COOKIES.get(settings.CODE_COOKIE_NAME, "")
    secret = value if _MADE_HERE.fullmatch(value) else secrets.token_urlsafe(32)
    return secret, _digest(secret)


def remember(response: HttpResponse, secret: str) -> None:
    response.set_cookie(
        settings.CODE_COOKIE_NAME,
        secret,
        max_age=KEPT,
        secure=settings.HTTPS,
        httponly=True,
        samesite="Lax",
    )


def forget(response: HttpResponse) -> None:
    response.delete_cookie(settings.CODE_COOKIE_NAME, samesite="Lax")


def _digest(secret: str) -> str:
    return sha256(b"allo.codes.browser:" + secret.encode()).hexdigest()

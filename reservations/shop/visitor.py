"""The cookie by which a browser without an account is known again.

Its value is random and a secret between the browser and the shop: no page, topic, log or stored
answer contains it, and it is not derived from anything that does. It needs no signature, since 256
random bits cannot be guessed and a value that a browser makes up names a holder that holds nothing.
The database has only the digest, so that reading it, or the admin, makes nobody the holder.

Signing in and out leaves the cookie alone, and with it what the browser held before.
"""

import re
import secrets
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from hashlib import sha256
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse

# Counted anew each time that a form to reserve is shown or sent.
KEPT = timedelta(days=90)

_BYTES = 32
_MADE_HERE = re.compile(r"[\w-]{43}", re.ASCII)

View = Callable[..., HttpResponse]


def holder_of(request: HttpRequest) -> str | None:
    """Whose holds this browser's are; None if the shop has not given it a cookie yet."""
    secret = _secret_of(request)
    if secret is None:
        return None
    digest = sha256(b"allo.visitor:" + secret.encode()).digest()
    return f"visitor:{UUID(bytes=digest[:16])}"


def known_again(view: View) -> View:
    """For a view with a form that holds: its answers carry the cookie, so that both requests of a
    first double click come with the same one. They must be answers that nobody stores."""

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = view(request, *args, **kwargs)
        if not request.user.is_authenticated:
            _remember(response, _secret_of(request) or secrets.token_urlsafe(_BYTES))
        return response

    return answer


def _secret_of(request: HttpRequest) -> str | None:
    value = request.COOKIES.get(settings.VISITOR_COOKIE_NAME, "")
    return value if _MADE_HERE.fullmatch(value) else None


def _remember(response: HttpResponse, secret: str) -> None:
    response.set_cookie(
        settings.VISITOR_COOKIE_NAME,
        secret,
        max_age=KEPT,
        secure=settings.HTTPS,
        httponly=True,
        samesite="Lax",
    )

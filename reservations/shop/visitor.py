"""The cookie that identifies a browser without an account.

Its value is random and secret: no page, topic, log or stored reply contains it, nor anything it
could be derived from. It needs no signature: 256 random bits cannot be guessed, and an invented
value names a holder without holds. The database has only its digest, so that nobody who reads the
database or the admin can act as the holder.

Signing in keeps the cookie: an open payment's page belongs to the browser as well as to the
account. A shopper who signs out leaves nothing behind: the next one here is another holder.
"""

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from hashlib import sha256
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from allo.web import cookies
from allo.web.shared.keys import SHARED

# Restarts each time that a form to reserve is shown or sent.
KEPT = timedelta(days=90)

View = Callable[..., HttpResponse]


def holder_of(request: HttpRequest) -> str | None:
    """The holder of this browser; None if it has no cookie yet."""
    secret = cookies.secret_in(request, settings.VISITOR_COOKIE_NAME)
    if not secret:
        return None
    digest = sha256(b"allo.visitor:" + secret.encode()).digest()
    return f"visitor:{UUID(bytes=digest[:16])}"


def known_again(view: View) -> View:
    """For views with a form to reserve: their responses set the cookie, so that both requests of a
    first double click have the same one. These responses must not be cached."""

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = view(request, *args, **kwargs)
        if SHARED not in request.META and not request.user.is_authenticated:
            name = settings.VISITOR_COOKIE_NAME
            secret = cookies.secret_in(request, name) or cookies.new_secret()
            cookies.keep(response, name, secret, KEPT)
        return response

    return answer


def forget(response: HttpResponse) -> None:
    """The browser is nobody's now, and a new holder from its next form to reserve on."""
    cookies.forget(response, settings.VISITOR_COOKIE_NAME)

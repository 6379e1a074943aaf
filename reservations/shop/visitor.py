"""The cookie that identifies a browser without an account.

Its value is random and secret: no page, topic, log or stored reply contains it, nor anything it
could be derived from. It needs no signature: 256 random bits cannot be guessed, and an invented
value names a holder without holds. The database has only its digest, so that nobody who reads the
database or the admin can act as the holder.

Signing in keeps the cookie: an open payment's page belongs to the browser as well as to the
account. A shopper who signs out leaves nothing behind: the next one here is another holder. The
same is true if the session was ended from another browser: its cookie is here, and no session is.
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
from reservations.models import AdoptedHolder, Reservation

# Restarts each time that a form to reserve is shown or sent.
KEPT = timedelta(days=90)

View = Callable[..., HttpResponse]


def holder_of(request: HttpRequest) -> str | None:
    """The holder of this browser; None if it has no cookie yet."""
    secret = _secret_of(request)
    return _name_of(secret) if secret else None


def known_again(view: View) -> View:
    """For views with a form to reserve: their responses set the cookie, so that both requests of a
    first double click have the same one. These responses must not be cached."""

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = view(request, *args, **kwargs)
        if SHARED not in request.META and not request.user.is_authenticated:
            secret = _secret_of(request) or cookies.new_secret()
            cookies.keep(response, settings.VISITOR_COOKIE_NAME, secret, KEPT)
        return response

    return answer


def forget(response: HttpResponse) -> None:
    """The browser is nobody's now, and a new holder from its next form to reserve on."""
    cookies.forget(response, settings.VISITOR_COOKIE_NAME)


def has_left(request: HttpRequest) -> bool:
    """Whether the session here was ended elsewhere, and the browser has no holds besides that are
    not the account's, or were until that was deleted. Queried once per request, and only with the
    cookie of a session that is no more."""
    known = vars(request)
    if "has_left" not in known:
        known["has_left"] = _lost_its_session(request) and not _has_own(_cookie_of(request))
    return bool(known["has_left"])


def _lost_its_session(request: HttpRequest) -> bool:
    if not request.COOKIES.get(settings.SESSION_COOKIE_NAME) or request.user.is_authenticated:
        return False
    return request.session.session_key is None


def _has_own(secret: str) -> bool:
    if not secret:
        return False
    mine = {"holder": _name_of(secret)}
    adopted = AdoptedHolder.objects.filter(**mine).exists()
    return not adopted and Reservation.objects.filter(**mine).exists()


def _secret_of(request: HttpRequest) -> str:
    """Empty if it has none, or one that it is to forget."""
    secret = _cookie_of(request)
    return "" if secret and has_left(request) else secret


def _cookie_of(request: HttpRequest) -> str:
    return cookies.secret_in(request, settings.VISITOR_COOKIE_NAME)


def _name_of(secret: str) -> str:
    digest = sha256(b"allo.visitor:" + secret.encode()).digest()
    return f"visitor:{UUID(bytes=digest[:16])}"

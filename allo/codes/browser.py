"""The cookie of a browser that asked for a code: the code is of no use in another one.

Its value is random and secret; the database has only its digest.
"""

from datetime import timedelta
from hashlib import sha256

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from allo.web import cookies

# Longer than a code lasts, so that a page can say that the code has run out.
KEPT = timedelta(hours=1)


def browser_of(request: HttpRequest) -> str:
    """Its digest; "" if it has no cookie."""
    secret = cookies.secret_in(request, settings.CODE_COOKIE_NAME)
    return _digest(secret) if secret else ""


def of_next_code(request: HttpRequest) -> tuple[str, str]:
    """The cookie's value for the next code, and its digest. A browser keeps the one it has, as its
    limits count by it."""
    secret = cookies.secret_in(request, settings.CODE_COOKIE_NAME) or cookies.new_secret()
    return secret, _digest(secret)


def remember(response: HttpResponse, secret: str) -> None:
    cookies.keep(response, settings.CODE_COOKIE_NAME, secret, KEPT)


def forget(response: HttpResponse) -> None:
    cookies.forget(response, settings.CODE_COOKIE_NAME)


def _digest(secret: str) -> str:
    return sha256(b"allo.codes.browser:" + secret.encode()).hexdigest()

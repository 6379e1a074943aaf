"""Cookies that no script of a page can read, and that no form of another site sends."""

import re
import secrets
from datetime import timedelta

from django.conf import settings
from django.http import HttpRequest, HttpResponse

_BYTES = 32
_MADE_HERE = re.compile(r"[\w-]{43}", re.ASCII)


def keep(response: HttpResponse, name: str, value: str, age: timedelta) -> None:
    response.set_cookie(
        name, value, max_age=age, secure=settings.HTTPS, httponly=True, samesite="Lax"
    )


def forget(response: HttpResponse, name: str) -> None:
    response.delete_cookie(name, samesite="Lax")


def secret_in(request: HttpRequest, name: str) -> str:
    """The random value of a cookie that identifies its browser; "" without one."""
    value = request.COOKIES.get(name, "")
    return value if _MADE_HERE.fullmatch(value) else ""


def new_secret() -> str:
    return secrets.token_urlsafe(_BYTES)

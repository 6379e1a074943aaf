"""The cookies that exempt a visitor from shared pages: for two seconds after each change, which has
to show at once, and for as long as the visitor holds anything."""

from collections.abc import Callable
from datetime import timedelta

from django.http import HttpRequest, HttpResponse

from allo.web import cookies
from allo.web.shared.keys import ACTED, HOLDS

READING = ("GET", "HEAD", "OPTIONS", "TRACE")
ACTED_FOR = timedelta(seconds=2)
# Longer than any hold: a page that finds none removes it.
HOLDS_FOR = timedelta(days=7)

_HOLDS = "holds_something"


def note_holds(request: HttpRequest, *, holds: bool) -> None:
    """Sets, for the response, whether this visitor holds anything or is about to."""
    vars(request)[_HOLDS] = holds


class ActMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._get_response(request)
        # Programs that send no cookies would not send this one either.
        if request.method not in READING and request.COOKIES:
            cookies.keep(response, ACTED, "1", ACTED_FOR)
        holds, said = vars(request).get(_HOLDS), HOLDS in request.COOKIES
        if holds and not said:
            cookies.keep(response, HOLDS, "1", HOLDS_FOR)
        elif holds is False and said:
            cookies.forget(response, HOLDS)
        return response

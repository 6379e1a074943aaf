"""Signed links in mail."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.http import HttpResponse

from allo.web.address import client_network
from allo.web.parts import Request, too_many
from allo.web.rate import seconds_to_wait

View = Callable[..., HttpResponse]


def opens_by_link(view: View) -> View:
    """For views that remember what a link with a `key` opened: in a browser without a cookie each
    makes a session, so they are counted per network. A POST is not, as it makes none."""

    @wraps(view)
    def answer(request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method == "POST" or not request.GET.get("key"):
            return view(request, *args, **kwargs)
        wait = seconds_to_wait(settings.API_RATE, "link", client_network(request))
        return too_many(request, wait) if wait else view(request, *args, **kwargs)

    return answer

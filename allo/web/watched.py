"""What is known of every request, of shared pages too: its id, its view, its time and its
status."""

import time
from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import ResolverMatch

from allo import request_id
from allo.metrics import counters

Environ = dict[str, Any]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

# In the environ, for those in front of Django.
VIEW = "allo.view"
UNKNOWN, STAFF = "none", "admin"


def watched(application: Application) -> Application:
    """The application, whose answers have `X-Request-ID`, and whose requests are counted."""

    def serve(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        began = time.perf_counter()
        own = request_id.begin(_given(environ))
        statuses = ["500"]

        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            statuses.append(status)
            return start_response(status, [*headers, ("X-Request-ID", own)], *more)

        try:
            return application(environ, start)
        finally:
            took = time.perf_counter() - began
            _count(environ.get(VIEW, UNKNOWN), statuses[-1], took)

    return serve


def _given(environ: Environ) -> str:
    return environ.get("HTTP_X_REQUEST_ID", "") if settings.TRUSTED_PROXIES else ""


def _count(view: str, status: str, took: float) -> None:
    counters.REQUESTS.labels(view).observe(took)
    counters.RESPONSES.labels(view, counters.class_of(int(status[:3]))).inc()


class ViewMiddleware:
    """Names the view of the request, once Django knows it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        try:
            return self.get_response(request)
        finally:
            request.environ[VIEW] = name_of(request.resolver_match)  # type: ignore[attr-defined]


def name_of(match: ResolverMatch | None) -> str:
    """One of the names in the URL configuration; all pages of the admin have one name."""
    if match is None:
        return UNKNOWN
    return STAFF if match.namespace == "admin" else match.view_name

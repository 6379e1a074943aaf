"""django-ninja with a strict parser, failures as problems, and the headers of every response."""

import logging
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from typing import Any

from csp.constants import HEADER as CSP
from django.core.exceptions import BadRequest
from django.db import Error
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    UnreadablePostError,
)
from django.urls import URLPattern, path
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError
from ninja.parser import Parser

from allo import reporting
from allo.api_kit import problems, strict_json
from allo.api_kit.problems import Problem
from allo.postgresql.faults import fault_of, name_of

logger = logging.getLogger(__name__)

View = Callable[..., HttpResponse]

# A response of the API that is opened in a browser runs and loads nothing.
NOTHING = "default-src 'none'; frame-ancestors 'none'"


class StrictParser(Parser):
    def parse_body(self, request: HttpRequest) -> Any:
        return strict_json.loads(request.body)


class Api(NinjaAPI):
    """Every failure is a problem. The documentation is made from the schema in
    `allo.site.reference`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(parser=StrictParser(), docs_url=None, openapi_url=None, **options)
        handlers: dict[type[Exception], Callable[[HttpRequest, Any], HttpResponse]] = {
            Problem: lambda _, error: error.response,
            ValidationError: _invalid,
            HttpError: _http_error,
            Http404: lambda _, error: _not_found(error),
            BadRequest: _unreadable,
            UnreadablePostError: _unreadable,
            Exception: _broken,
        }
        for error, handler in handlers.items():
            self.add_exception_handler(error, handler)

    @property
    def patterns(self) -> list[URLPattern]:
        """The calls' addresses; each also responds to HEAD, OPTIONS and methods that are not
        allowed."""
        found = [pattern for pattern in self._get_urls() if isinstance(pattern, URLPattern)]
        for pattern in found:
            pattern.callback = for_all_methods(pattern.callback)
        return [*(p for p in found if p.name != "api-root"), path("<path:_>", _nowhere)]


def for_all_methods(view: View) -> View:
    @wraps(view)
    def opened(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        asked = request.method
        # HEAD runs as GET; the web server drops the body.
        request.method = "GET" if asked == "HEAD" else asked
        try:
            response = view(request, *args, **kwargs)
        finally:
            request.method = asked
        if isinstance(response, HttpResponseNotAllowed):
            response = _not_allowed(asked, response.headers["Allow"].split(", "))
        response.headers[CSP] = NOTHING
        return response

    opened.csrf_exempt = True  # type: ignore[attr-defined]  # each call checks its caller itself
    return opened


def _not_allowed(asked: str | None, methods: Sequence[str]) -> HttpResponse:
    allow = ", ".join(sorted({*methods, "OPTIONS"} | ({"HEAD"} if "GET" in methods else set())))
    if asked == "OPTIONS":
        return HttpResponse(status=204, headers={"Allow": allow})
    return Problem(problems.NOT_ALLOWED, headers={"Allow": allow}).response


def _nowhere(_request: HttpRequest, **_: str) -> HttpResponse:
    return Problem(problems.NOT_FOUND, "The API has no such address.").response


_nowhere.csrf_exempt = True  # type: ignore[attr-defined]


def _not_found(error: Http404) -> HttpResponse:
    detail = str(error)
    return Problem(problems.NOT_FOUND, detail and f"There is {detail}.").response


def _invalid(_request: HttpRequest, error: ValidationError) -> HttpResponse:
    return invalid(
        [
            (".".join(map(str, found["loc"][_level(found) :])), found["msg"])
            for found in error.errors
        ]
    ).response


def _level(found: dict[str, Any]) -> int:
    """Where the field's name begins, after "body" and the parameter's name in our code."""
    return 2 if found["loc"][0] == "body" else 1


def invalid(errors: Iterable[tuple[str, str]]) -> Problem:
    return Problem(
        problems.INVALID,
        errors=[{"field": _shown(field), "detail": _shown(detail)} for field, detail in errors],
    )


def _shown(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode()[:120]


def _http_error(_request: HttpRequest, error: HttpError) -> HttpResponse:
    """ninja wraps an exception of the parser in this error."""
    cause = error.__cause__
    return (cause if isinstance(cause, Problem) else Problem(problems.BAD_REQUEST)).response


def _unreadable(_request: HttpRequest, _error: Exception) -> HttpResponse:
    return Problem(problems.BAD_REQUEST, "The body is malformed, or cut short.").response


def _broken(_request: HttpRequest, error: Exception) -> HttpResponse:
    if fault := fault_of(error):
        logger.warning("%s: %s", fault.value, name_of(error))
        return problems.unavailable(fault).response
    # Without the database's message, in which PostgreSQL quotes whole rows.
    words = None if isinstance(error, Error) else error
    more = {reporting.CAUSE: error}
    logger.error("an API call failed: %s", name_of(error), exc_info=words, extra=more)
    response = Problem(problems.INTERNAL).response
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response

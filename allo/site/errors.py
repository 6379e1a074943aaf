"""What went wrong outside of a view (a wrong Host, an unknown address), or in one that could not
help it (the database is away): a page of the shop, or a problem for who called the API."""

import logging
import sys

from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.template import loader
from django.views import defaults

from allo.api_kit import problems
from allo.api_kit.problems import Problem
from allo.postgresql.faults import Fault, fault_of, name_of

logger = logging.getLogger(__name__)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    # One line: what clients do wrong is no reason for a traceback.
    logger.warning("bad request: %s: %.200s", type(exception).__name__, request.path_info)
    if _is_api(request):
        return Problem(problems.BAD_REQUEST).response
    return _logged(defaults.bad_request(request, exception))


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    if _is_api(request):
        return Problem(problems.FORBIDDEN).response
    return defaults.permission_denied(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if _is_api(request):
        return Problem(problems.NOT_FOUND).response
    return defaults.page_not_found(request, exception)


def broken(request: HttpRequest) -> HttpResponse:
    """Django calls this while the exception is being handled, wherever it came from: a view, a
    template, the middleware that reads the session."""
    error = sys.exc_info()[1]
    if error is not None and (fault := fault_of(error)):
        logger.warning("%s: %s", fault.value, name_of(error))
        return _unavailable(request, fault)
    if isinstance(error, UnreadablePostError):
        return bad_request(request, error)
    if _is_api(request):
        return Problem(problems.INTERNAL).response
    return defaults.server_error(request)


def _unavailable(request: HttpRequest, fault: Fault) -> HttpResponse:
    if _is_api(request):
        return _logged(problems.unavailable(fault).response)
    kind = problems.UNAVAILABLE[fault]
    # Without `request`, for which a template would ask the database once more.
    page = loader.render_to_string("503.html", {"code": kind.code})
    response = HttpResponse(page, status=kind.status)
    response.headers["Retry-After"] = str(kind.fields["retry_after"])
    # What htmx wanted was a part of the page, which had better stay as it is.
    response.headers["HX-Reswap"] = "none"
    response.headers["Cache-Control"] = problems.NEVER_STORED
    return _logged(response)


def _logged(response: HttpResponse) -> HttpResponse:
    """In one line, not with a traceback for each request."""
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response


def _is_api(request: HttpRequest) -> bool:
    return request.path_info.startswith("/api/")

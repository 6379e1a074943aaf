"""Responses to errors outside of views (a wrong Host, an unknown address) and to an unreachable
database: a page for browsers, a problem for callers of the API."""

import logging
import sys
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.template import loader
from django.views import defaults

from allo import request_id
from allo.api_kit import problems
from allo.api_kit.problems import Problem
from allo.postgresql.faults import Fault, fault_of, name_of
from allo.web.parts import leave_part
from allo.web.shared.acts import READING
from allo.web.shared.keys import NOWHERE
from allo.web.shared.pages import not_found as shared_not_found

logger = logging.getLogger(__name__)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    # One line, without a traceback: it is the client's mistake.
    logger.warning("bad request: %s: %.200a", type(exception).__name__, request.path_info)
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
    page = shared_not_found(request) or defaults.page_not_found(request, exception)
    # The shared page is nobody's request; the address that was requested is logged.
    return _logged(page) if request.path_info == NOWHERE else page


def broken(request: HttpRequest) -> HttpResponse:
    """Django calls this while it handles an exception, from any view, template or middleware."""
    error = sys.exc_info()[1]
    if error is not None and (fault := fault_of(error)):
        logger.warning("%s: %s", fault.value, name_of(error))
        return _unavailable(request, fault)
    if isinstance(error, UnreadablePostError):
        return bad_request(request, error)
    if _is_api(request):
        return Problem(problems.INTERNAL).response
    return _page(request, HTTPStatus.INTERNAL_SERVER_ERROR, "500.html")


def _unavailable(request: HttpRequest, fault: Fault) -> HttpResponse:
    if _is_api(request):
        return _logged(problems.unavailable(fault).response)
    kind = problems.UNAVAILABLE[fault]
    response = _page(request, kind.status, "503.html", code=kind.code)
    response.headers["Retry-After"] = str(kind.fields["retry_after"])
    response.headers["Cache-Control"] = problems.NEVER_STORED
    return _logged(leave_part(response))


def _page(request: HttpRequest, status: int, template: str, **facts: object) -> HttpResponse:
    """Rendered without `request`: with it the template would query the database again."""
    facts |= {
        "request_id": request_id.current(),
        # A form is sent again from its own page, which has what was typed.
        "may_repeat": request.method in READING,
    }
    return HttpResponse(loader.render_to_string(template, facts), status=status)


def _logged(response: HttpResponse) -> HttpResponse:
    """Logs one line, not a traceback for each request."""
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response


def _is_api(request: HttpRequest) -> bool:
    return request.path_info.startswith("/api/")

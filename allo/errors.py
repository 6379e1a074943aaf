"""What went wrong outside of a view (a wrong Host, an unknown address): a page of the shop, or a
problem for who called the API."""

from django.http import HttpRequest, HttpResponse
from django.views import defaults

from allo.http import problems
from allo.http.problems import Problem


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if _is_api(request):
        return Problem(problems.BAD_REQUEST).response
    return defaults.bad_request(request, exception)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    if _is_api(request):
        return Problem(problems.FORBIDDEN).response
    return defaults.permission_denied(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if _is_api(request):
        return Problem(problems.NOT_FOUND).response
    return defaults.page_not_found(request, exception)


def broken(request: HttpRequest) -> HttpResponse:
    if _is_api(request):
        return Problem(problems.INTERNAL).response
    return defaults.server_error(request)


def _is_api(request: HttpRequest) -> bool:
    return request.path_info.startswith("/api/")

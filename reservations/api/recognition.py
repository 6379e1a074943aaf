"""Recognizes who calls the API: by a token, by the shop's cookies, or not at all."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware

from allo.api_kit import problems
from allo.api_kit.problems import Problem
from allo.web.address import client_network
from allo.web.rate import seconds_to_wait
from reservations.api import tokens
from reservations.api.callers import INVALID_TOKEN, Bearer, Browser, Caller, Merchant, Nobody
from reservations.shop import holders

# A call with one of these may be forged by another site.
_COOKIES = {
    settings.SESSION_COOKIE_NAME,
    settings.CSRF_COOKIE_NAME,
    settings.VISITOR_COOKIE_NAME,
}


def caller_of(request: HttpRequest) -> Caller:
    """Raises `Problem` for an invalid token, or for cookies without the CSRF token."""
    if authorization := request.META.get("HTTP_AUTHORIZATION"):
        return _bearer(request, authorization)
    if not _COOKIES & request.COOKIES.keys():
        return Nobody(request)
    _check_csrf(request)
    return Browser(request) if holders.names_here(request) else Nobody(request)


def _bearer(request: HttpRequest, authorization: str) -> Caller:
    scheme, _, token = authorization.partition(" ")
    token = token.strip()
    if scheme.lower() == "bearer":
        if token.startswith(tokens.MERCHANT) and (merchant := tokens.merchant_of(token)):
            return Merchant(request, merchant)
        if token.startswith(tokens.HOLD) and (held := tokens.held_by(token)):
            return Bearer(request, held)
    # Slows down guessing of tokens. A valid token from the same network is still accepted.
    if wait := seconds_to_wait(settings.LOGIN_RATE, "wrong-token", client_network(request)):
        raise problems.rate_limited(wait)
    raise Problem(INVALID_TOKEN, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})


class _Csrf(CsrfViewMiddleware):
    def _reject(self, request: HttpRequest, reason: str) -> HttpResponse:  # noqa: ARG002
        return Problem(problems.CSRF_FAILED).response


def _reached(_request: HttpRequest) -> HttpResponse:
    return HttpResponse()


_csrf = _Csrf(_reached)


def _check_csrf(request: HttpRequest) -> None:
    """Browsers send cookies with forged requests too, so a call with cookies needs the CSRF
    token."""
    if _csrf.process_view(request, _reached, (), {}):
        raise Problem(problems.CSRF_FAILED)

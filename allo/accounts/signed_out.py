"""A browser whose session was ended from another one, by the shopper or with the account."""

from collections.abc import Callable
from copy import deepcopy

from django.http import HttpRequest, HttpResponse

from allo.accounts import flow
from reservations.shop import visitor


class SignedOutMiddleware:
    """Such a browser keeps no more than one that signs out itself. It is known by the cookie of a
    session that is no more, which Django's middleware deletes with the same response."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._get_response(request)
        if request.session.accessed and visitor.has_left(request):
            # The response may have begun something new, such as a sign-in or a form to reserve. Its
            # cookies are copied, as deleting one writes over it.
            begun = deepcopy(response.cookies)
            flow.leave(request, response)
            response.cookies.update(begun)
        return response

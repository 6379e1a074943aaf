from csp.constants import HEADER
from csp.middleware import CSPMiddleware
from django.http import HttpRequest
from django.http.response import HttpResponseBase as Response


class ContentPolicyMiddleware(CSPMiddleware):
    """Skips responses that have a policy already. Building one only to discard it took a tenth of
    the time of an API call."""

    def process_response(self, request: HttpRequest, response: Response) -> Response:
        return response if HEADER in response else super().process_response(request, response)

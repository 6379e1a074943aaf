"""The checks before every call about reservations: size and type of the body, the caller and its
rights, and the rate limit."""

from dataclasses import dataclass

from django.http import HttpRequest

from allo.api_kit import problems, strict_json
from allo.api_kit.problems import Problem
from allo.web.idempotency_key import is_proper, sent_key
from reservations.api.callers import INVALID_KEY, Caller, Scope
from reservations.api.recognition import caller_of


class ApiRequest(HttpRequest):
    auth: Caller  # ninja sets it to what `Guard` returns


@dataclass(frozen=True, slots=True)
class Guard:
    scope: Scope
    has_body: bool = False
    body_is_optional: bool = False

    def __call__(self, request: HttpRequest) -> Caller:
        """Runs the checks, the cheapest first. Raises `Problem`."""
        if request.method == "POST":
            strict_json.read_body(request)
            if self.has_body and (request.body or not self.body_is_optional):
                strict_json.check_content_type(request)
        caller = caller_of(request)
        caller.check(self.scope)
        if request.method == "POST":
            self._check_writing(request, caller)
        return caller

    def _check_writing(self, request: HttpRequest, caller: Caller) -> None:
        key = sent_key(request)
        if key is not None:
            if not is_proper(key):
                raise Problem(INVALID_KEY)
            caller.check_key(key)
        if wait := caller.wait(self.scope):
            raise problems.rate_limited(wait)
        if self.has_body and not request.body and not self.body_is_optional:
            raise Problem(problems.UNPARSABLE)
        if not self.has_body:
            _check_nothing_is_said(request)


def _check_nothing_is_said(request: HttpRequest) -> None:
    if request.body:
        strict_json.check_content_type(request)
        if strict_json.loads(request.body) != {}:
            raise Problem(problems.INVALID, "This call takes no body.", errors=[])

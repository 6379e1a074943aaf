"""Why an API call failed, as `application/problem+json` (RFC 9457) with a stable `code`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpResponse

from allo import request_id
from allo.postgresql.faults import Fault

MEDIA_TYPE = "application/problem+json"
# Where each code is explained: a reference relative to the API's address.
TYPE = "/api/docs#{code}"
NEVER_STORED = "private, no-store"
IN_FLIGHT = 425
# The longest body of a call.
MOST_BYTES = 16_384


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of failure. `detail` and `fields` are also the example in the API's documentation."""

    status: int
    code: str
    title: str
    detail: str
    fields: Mapping[str, Any] = field(default_factory=dict)

    def body(self, detail: str = "", fields: Mapping[str, Any] | None = None) -> str:
        facts = {
            "type": TYPE.format(code=self.code),
            "title": self.title,
            "status": self.status,
            "detail": detail or self.detail,
            "code": self.code,
        }
        return json.dumps({**facts, **(fields or {})}, separators=(",", ":"))

    @property
    def example(self) -> dict[str, Any]:
        example: dict[str, Any] = json.loads(self.body(fields=self.fields))
        return example


UNPARSABLE = Kind(400, "unparsable", "Not JSON", "The body is not a JSON document.")
BAD_REQUEST = Kind(400, "bad_request", "Bad request", "The request could not be understood.")
FORBIDDEN = Kind(403, "forbidden", "Forbidden", "This is not allowed.")
CSRF_FAILED = Kind(
    403,
    "csrf_failed",
    "CSRF check failed",
    "A call with the shop's cookies needs the X-CSRFToken header and the shop's own origin.",
)
NOT_FOUND = Kind(404, "not_found", "Not found", "Nothing was found at this address.")
NOT_ALLOWED = Kind(405, "method_not_allowed", "Method not allowed", "See the Allow header.")
TOO_LARGE = Kind(413, "too_large", "Body too large", f"A body may have at most {MOST_BYTES} bytes.")
# Sent by the web server itself, in HTML: the request never reaches the API.
TOO_LONG = Kind(414, "", "Address too long", "")
UNSUPPORTED = Kind(
    415, "unsupported_media_type", "Unsupported media type", "Send application/json."
)
INVALID = Kind(
    422,
    "invalid",
    "Invalid",
    "The request does not match the schema; `errors` says where.",
    {"errors": [{"field": "quantity", "detail": "Input should be greater than or equal to 1"}]},
)
RATE_LIMITED = Kind(
    429, "rate_limited", "Too many requests", "Try again in 17 seconds.", {"retry_after": 17}
)
INTERNAL = Kind(500, "internal_error", "Internal error", "Something went wrong on our side.")
BUSY = Kind(
    503,
    "busy",
    "Busy",
    "Many people want this at once. Try again in a moment.",
    {"retry_after": 2},
)
STORAGE = Kind(
    503,
    "storage",
    "No disk space left",
    "The shop has no disk space left, so this was not saved and nothing was changed. We have to"
    " free some first. Please try again in a few minutes.",
    {"retry_after": 60},
)
UNAVAILABLE = {Fault.BUSY: BUSY, Fault.STORAGE: STORAGE}


class Problem(Exception):
    """Raised anywhere in an API call, it becomes its `response`."""

    def __init__(
        self,
        kind: Kind,
        detail: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        **fields: Any,
    ) -> None:
        super().__init__(kind.code)
        self.kind = kind
        self.detail = detail
        self.headers = headers or {}
        self.fields = fields

    @property
    def response(self) -> HttpResponse:
        body = self.kind.body(self.detail, {**self.fields, **_request()})
        response = respond(self.kind.status, body)
        if seconds := self.fields.get("retry_after"):
            response.headers["Retry-After"] = str(seconds)
        for name, value in self.headers.items():
            response.headers[name] = value
        return response


def rate_limited(seconds: int) -> Problem:
    return Problem(RATE_LIMITED, f"Try again in {seconds} seconds.", retry_after=seconds)


def unavailable(fault: Fault) -> Problem:
    kind = UNAVAILABLE[fault]
    return Problem(kind, **kind.fields)


def of_this_request(status: int, body: str) -> str:
    """The body with the request's id, unless it may be one that a key keeps: each retry gets that
    one byte for byte."""
    if status < 500 and status != IN_FLIGHT:
        return body
    return json.dumps({**json.loads(body), **_request()}, separators=(",", ":"))


def _request() -> dict[str, str]:
    current = request_id.current()
    return {} if current == request_id.NONE else {"request_id": current}


def respond(status: int, body: str) -> HttpResponse:
    """A response with this problem body."""
    response = HttpResponse(body, content_type=MEDIA_TYPE, status=status)
    response.headers["Cache-Control"] = NEVER_STORED
    # Mistakes of clients are not logged: the response tells the client, and the log stays readable.
    response._has_been_logged = status < 500  # type: ignore[attr-defined]
    return response

"""What the schema says of the calls about reservations: callers, keys, failures and examples."""

from typing import Any

from django.conf import settings

from allo.api_kit import openapi, problems
from allo.web.idempotency_key import PATTERN, REPLAY
from reservations.api import answers
from reservations.api.callers import INSUFFICIENT_SCOPE, INVALID_KEY, INVALID_TOKEN
from reservations.webhooks import ENDED as ENDED_ONE

ENDED = {name: ENDED_ONE[name] for name in ("ended_at", "ended_by")}
TOKEN = "hold_fzxdCmw-S36aUS-NPwybEQ:1xOqhY:u3zGm0l2b6r2h5k7m9p1s3v5x7z9B1D3F5H7J9L1N3P"  # noqa: S105

KEY = {
    "in": "header",
    "name": "Idempotency-Key",
    "required": False,
    "description": "Makes a retry safe: it gets the first response again, as long as the body"
    " is the same, for 24 hours. Use a random UUID.",
    "schema": {"type": "string", "pattern": f"^{PATTERN}$"},
    "example": "0b8f5a3e-6f0d-4f1c-8a52-90b1f1a0c7d4",
}
# The empty requirement: anonymous callers are allowed.
ANYBODY: list[dict[str, list[str]]] = [{}, {"bearer": []}, {"session": []}, {"visitor": []}]
SECURITY_SCHEMES = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "The token of a reservation's 201, or a merchant's API token with the"
        " scopes read, reserve, confirm, manage.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "sessionid",
        "description": "A browser with an account. Unsafe calls also need X-CSRFToken.",
    },
    "visitor": {
        "type": "apiKey",
        "in": "cookie",
        "name": settings.VISITOR_COOKIE_NAME,
        "description": "A browser without an account, after its first form to reserve. Unsafe calls"
        " also need X-CSRFToken.",
    },
}
READING = (INVALID_TOKEN, INSUFFICIENT_SCOPE, problems.NOT_FOUND, problems.RATE_LIMITED)
WRITING = (
    INVALID_KEY, problems.BAD_REQUEST, problems.UNPARSABLE, INVALID_TOKEN, INSUFFICIENT_SCOPE,
    problems.CSRF_FAILED, problems.NOT_FOUND, answers.CONFLICT, problems.TOO_LARGE,
    problems.UNSUPPORTED, problems.INVALID, answers.IN_FLIGHT, problems.RATE_LIMITED,
)  # fmt: skip
# The calls that are possible on a new reservation.
LINKS = {
    name: {"operationId": name, "parameters": {"reservation_id": "$response.body#/id"}}
    for name in ("read", "change", "confirm", "release", "renew")
}


def reading(example: dict[str, Any]) -> dict[str, Any]:
    """`openapi_extra` of a call that only reads."""
    return openapi.documented(example, READING, security=ANYBODY, headers=("ETag",))


def writing(example: dict[str, Any], *kinds: problems.Kind, **more: Any) -> dict[str, Any]:
    """`openapi_extra` of a call that takes an idempotency key; `kinds` are its own failures."""
    return openapi.documented(
        example,
        (*WRITING, *kinds),
        parameters=[KEY],
        security=ANYBODY,
        **{"headers": (REPLAY,), **more},
    )


def body(example: dict[str, Any]) -> dict[str, Any]:
    return {"content": {"application/json": {"example": example}}}

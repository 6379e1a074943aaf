"""What the schema adds to the types: each response with its headers and an example."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from ninja import NinjaAPI

from allo.api_kit import problems
from allo.api_kit.problems import Kind

PROBLEM: dict[str, Any] = {
    "type": "object",
    "title": "Problem",
    "description": "RFC 9457. `code` is stable; the other fields depend on it.",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "available": {"type": "integer", "description": "The units that are left."},
        "retry_after": {"type": "integer", "description": "Seconds; as in Retry-After."},
        "limit": {"type": "string", "description": "The setting that was reached."},
        "maximum": {"type": "integer", "description": "The most that this setting allows."},
        "reservation_status": {"type": "string"},
        "checkout_url": {"type": "string", "description": "Where the buyer pays."},
        "authentication_url": {
            "type": "string",
            "description": "Where the buyer approves the payment.",
        },
        "request_id": {
            "type": "string",
            "description": "Of this request, as in X-Request-ID: name it to the shop's staff. What"
            " an Idempotency-Key keeps is without it.",
        },
        "scope": {"type": "string", "description": "The scope that the API token lacks."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "detail"],
                "properties": {"field": {"type": "string"}, "detail": {"type": "string"}},
            },
        },
    },
}

_TEXT = {"schema": {"type": "string"}}
_SECONDS = {"schema": {"type": "integer"}, "required": True}
HEADERS: dict[str, dict[str, Any]] = {
    "ETag": {**_TEXT, "description": "Send it as If-None-Match to get 304 if nothing changed."},
    "Location": {
        "schema": {"type": "string", "format": "uri-reference"},
        "required": True,
        "description": "Where the resource is.",
    },
    "Idempotent-Replay": {
        "schema": {"type": "string", "enum": ["true"]},
        "description": "This response repeats the first one under the same key.",
    },
    "Retry-After": {**_SECONDS, "description": "Seconds to wait before the next request."},
    "WWW-Authenticate": {**_TEXT, "required": True, "description": "The scheme, and the error."},
}
_PROBLEM_HEADERS = {401: ("WWW-Authenticate",), 425: ("Retry-After",), 429: ("Retry-After",),
                    503: ("Retry-After",)}  # fmt: skip


def documented(
    example: Any,
    kinds: Iterable[Kind],
    *,
    status: int = 200,
    says: str = "",
    headers: Iterable[str] = (),
    links: Mapping[str, Any] | None = None,
    moves: bool = False,
    **more: Any,
) -> dict[str, Any]:
    """`openapi_extra` of an operation: its success, and every kind of failure."""
    success: dict[str, Any] = {
        "content": {"application/json": {"example": example}},
        "headers": {name: HEADERS[name] for name in headers},
    }
    if links:
        success["links"] = links
    if says:
        success["description"] = says
    responses: dict[int, Any] = {status: success}
    if "ETag" in headers:
        responses[304] = {"description": "Not changed: your copy is current.", "headers": {
            "ETag": HEADERS["ETag"]}}  # fmt: skip
    if moves:
        responses[301] = {"description": "It has another address now.", "headers": {
            "Location": HEADERS["Location"]}}  # fmt: skip
    for kind in (*kinds, problems.BUSY, problems.STORAGE, problems.INTERNAL):
        _add(responses, kind)
    return {"responses": responses, **more}


def _add(responses: dict[int, Any], kind: Kind) -> None:
    if not kind.code:
        responses[kind.status] = {"description": kind.title, "content": {"text/html": {}}}
        return
    answer = responses.setdefault(
        kind.status,
        {
            "description": kind.title,
            "headers": {name: HEADERS[name] for name in _PROBLEM_HEADERS.get(kind.status, ())},
            "content": {
                problems.MEDIA_TYPE: {
                    "schema": {"$ref": "#/components/schemas/Problem"},
                    "examples": {},
                }
            },
        },
    )
    examples = answer["content"][problems.MEDIA_TYPE]["examples"]
    examples[kind.code] = {"summary": kind.title, "value": kind.example}


def complete(
    api: NinjaAPI, security_schemes: Mapping[str, Any], webhooks: Mapping[str, Any]
) -> dict[str, Any]:
    """The whole schema as plain JSON."""
    schema: dict[str, Any] = json.loads(json.dumps(api.get_openapi_schema(path_prefix="api/")))
    schema["components"]["schemas"]["Problem"] = PROBLEM
    schema["components"]["securitySchemes"] = dict(security_schemes)
    schema["webhooks"] = dict(webhooks)
    if not schema["servers"]:
        del schema["servers"]
    return schema

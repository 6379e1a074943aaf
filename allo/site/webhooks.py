"""The events that webhooks post, as the `webhooks` of an OpenAPI 3.1 schema."""

from typing import Any

from allo.outbox.hooks.catalogue import Kind, body, kinds

# When the event of the example happened.
AT = "2026-11-23T06:30:00.120000Z"
HEADERS = {
    "webhook-id": "The event's id, the same however often it comes.",
    "webhook-timestamp": "When it is posted, in seconds since 1970.",
    "webhook-signature": "One signature or two, as Standard Webhooks makes them.",
}
# Instants that each reservation has; those of what may yet happen are null until then.
ALWAYS = {"created_at", "expires_at"}


def schemas() -> dict[str, Any]:
    return {kind.name: {"post": _post(kind)} for kind in kinds()}


def _post(kind: Kind) -> dict[str, Any]:
    example = body(kind.name, AT, kind.example)
    schema = _schema(example)
    schema["properties"]["type"] = {"const": kind.name}
    content = {"application/json": {"schema": schema, "example": example}}
    return {
        "operationId": kind.name,
        "summary": kind.says,
        "tags": ["webhooks"],
        "parameters": [
            {"in": "header", "name": name, "required": True, "description": says,
             "schema": {"type": "string"}}
            for name, says in HEADERS.items()
        ],
        "requestBody": {"required": True, "content": content},
        "responses": {"2XX": {"description": "It was taken, and does not come again."}},
    }  # fmt: skip


def _schema(example: Any, name: str = "") -> dict[str, Any]:
    """The types of an example."""
    if isinstance(example, dict):
        properties = {key: _schema(value, key) for key, value in example.items()}
        return {"type": "object", "required": [*example], "properties": properties}
    if isinstance(example, list):
        return {"type": "array", "items": _schema(example[0])}
    if isinstance(example, int):
        return {"type": "integer"}
    if name.endswith("_at") and name not in ALWAYS:
        return {"type": ["string", "null"], "format": "date-time"}
    return {"type": "string" if example is not None else ["string", "null"]}

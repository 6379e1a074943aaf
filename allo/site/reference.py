"""The API's schema as an HTML page, which needs no script."""

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from django.utils.safestring import SafeString, mark_safe
from pygments import highlight
from pygments.formatters.html import HtmlFormatter
from pygments.lexers import get_lexer_by_name

from allo.site.docs import inline

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter, or a field of a body."""

    name: str
    kind: str
    required: bool
    says: SafeString


@dataclass(frozen=True, slots=True)
class Example:
    code: str
    says: str
    body: SafeString


@dataclass(frozen=True, slots=True)
class Answer:
    status: str
    says: SafeString
    headers: list[str]
    examples: list[Example]


@dataclass(frozen=True, slots=True)
class Call:
    id: str
    method: str
    path: str
    summary: str
    says: SafeString
    parameters: list[Field]
    body: list[Field]
    curl: SafeString
    answers: list[Answer]


@dataclass(frozen=True, slots=True)
class Event:
    """What a webhook posts."""

    name: str
    says: SafeString
    body: SafeString


@dataclass(frozen=True, slots=True)
class Reference:
    says: list[SafeString]
    groups: list[tuple[str, list[Call]]]
    events: list[Event]
    problems: list[tuple[str, str, str]]

    @classmethod
    def of(cls, schema: Json) -> Self:
        groups: dict[str, list[Call]] = {}
        for path, methods in schema["paths"].items():
            for method, operation in methods.items():
                call = _call(schema, path, method, operation)
                groups.setdefault(operation["tags"][0], []).append(call)
        paragraphs = schema["info"]["description"].split("\n\n")
        return cls(
            [*map(inline, paragraphs)], [*groups.items()], _events(schema), _problems(schema)
        )


def _call(schema: Json, path: str, method: str, operation: Json) -> Call:
    return Call(
        id=operation["operationId"],
        method=method.upper(),
        path=path,
        summary=operation["summary"],
        says=inline(operation.get("description", "")),
        parameters=[_parameter(found) for found in operation["parameters"]],
        body=_body(schema, operation),
        curl=_code(_curl(path, method, operation), "bash"),
        answers=[_answer(*found) for found in sorted(operation["responses"].items())],
    )


def _parameter(found: Json) -> Field:
    kind = f"{found['in']}, {_kind(found['schema'])}"
    return Field(found["name"], kind, found.get("required", False), _said(found))


def _body(schema: Json, operation: Json) -> list[Field]:
    if "requestBody" not in operation:
        return []
    found = operation["requestBody"]["content"]["application/json"]["schema"]
    return list(_fields(schema, *found.get("allOf", [found])))


def _fields(schema: Json, model: Json, inside: str = "") -> Iterator[Field]:
    """The model's fields, each followed by those of the model that it is."""
    model = schema["components"]["schemas"][model["$ref"].rsplit("/", 1)[1]]
    for name, said in model["properties"].items():
        required = name in model.get("required", ())
        yield Field(f"{inside}{name}", _kind(said), required, _said(said))
        for one in said.get("anyOf", [said]):
            if "$ref" in one:
                yield from _fields(schema, one, f"{inside}{name}.")


def _said(found: Json) -> SafeString:
    return inline(found.get("description", ""))


def _kind(said: Json) -> str:
    if "anyOf" in said:
        return " or ".join(_kind(one) for one in said["anyOf"])
    if "$ref" in said:
        return "object"
    if "enum" in said:
        return "one of " + ", ".join(str(value) for value in said["enum"])
    bounds = [f"{word} {said[name]}" for name, word in _BOUNDS.items() if name in said]
    return ", ".join([said.get("type", "anything"), *bounds])


_BOUNDS = {"minimum": "from", "maximum": "to", "maxLength": "length to", "pattern": "matching"}


def _curl(path: str, method: str, operation: Json) -> str:
    words = ["curl"]
    if method == "post":
        words += ["-X", "POST", "-H", "Idempotency-Key: 0b8f5a3e-6f0d-4f1c-8a52-90b1f1a0c7d4"]
    if "{reservation_id}" in path:
        words += ["-H", "Authorization: Bearer hold_…"]
    if "requestBody" in operation:
        example = operation["requestBody"]["content"]["application/json"]["example"]
        words += ["--json", json.dumps(example)]
    address = path.replace("{reservation_id}", "7f3c5d0a-6c3e-4b7e-9a51-2f8d3f0c9b11")
    return shlex.join([*words, f"http://127.0.0.1:8000{address.replace('{slug}', 'tidal')}"])


def _answer(status: str, found: Json) -> Answer:
    headers, examples = [*found.get("headers", ())], [*_examples(found)]
    return Answer(status, inline(found["description"]), headers, examples)


def _examples(found: Json) -> Iterator[Example]:
    for content in found.get("content", {}).values():
        if "example" in content:
            yield Example("", "", _json(content["example"]))
        for code, example in content.get("examples", {}).items():
            yield Example(code, example["summary"], _json(example["value"]))


def _problems(schema: Json) -> list[tuple[str, str, str]]:
    """(code, status, title) of every way to fail, by status."""
    found = {
        (status, code, example["summary"])
        for methods in schema["paths"].values()
        for operation in methods.values()
        for status, answer in operation["responses"].items()
        for content in answer.get("content", {}).values()
        for code, example in content.get("examples", {}).items()
    }
    return [(code, status, title) for status, code, title in sorted(found)]


def _events(schema: Json) -> list[Event]:
    found = ((name, item["post"]) for name, item in schema["webhooks"].items())
    return [
        Event(
            name,
            inline(post["summary"]),
            _json(post["requestBody"]["content"]["application/json"]["example"]),
        )
        for name, post in found
    ]


def _json(value: Any) -> SafeString:
    return _code(json.dumps(value, indent=2, ensure_ascii=False), "json")


def _code(text: str, language: str) -> SafeString:
    html = highlight(text, get_lexer_by_name(language), HtmlFormatter(nowrap=True))
    return mark_safe(html)  # noqa: S308 - Pygments escapes what it is given

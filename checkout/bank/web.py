"""Requests and responses, without a framework."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from typing import Any
from urllib.parse import parse_qsl

from checkout.bank.problems import Problem, bad_parameter

MOST_PARAMETERS = 1000
DEEPEST = 6


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: str
    headers: Message
    body: bytes

    @property
    def parameters(self) -> dict[str, Any]:
        """Of the query and of a form, nested as their names say."""
        try:
            text = "&".join(part for part in (self.query, self.body.decode()) if part)
            pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_PARAMETERS)
        except ValueError as error:
            raise bad_parameter(f"Invalid form: {error}", "") from None
        return nested(pairs)

    @property
    def json(self) -> dict[str, Any]:
        try:
            found = json.loads(self.body or b"{}")
        except ValueError as error:
            raise bad_parameter(f"Invalid JSON: {error}", "") from None
        if not isinstance(found, dict):
            raise bad_parameter("Give a JSON object.", "")
        return found


@dataclass(frozen=True)
class Response:
    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_json(cls, shape: Any, status: int = 200, **headers: str) -> "Response":
        return cls.of_text(json.dumps(shape), status, **headers)

    @classmethod
    def of_text(cls, text: str, status: int = 200, **headers: str) -> "Response":
        """`text` is JSON."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return cls(status, text.encode(), {"Content-Type": "application/json", **named})

    @classmethod
    def of_problem(cls, problem: Problem) -> "Response":
        return cls.of_json(problem.body, problem.status)

    @classmethod
    def redirect(cls, address: str) -> "Response":
        return cls(303, headers={"Location": address})


def nested(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """`a[b]=1&c[0]=2&c[]=3` is `{"a": {"b": "1"}, "c": ["2", "3"]}`."""
    tree: dict[str, Any] = {}
    for name, value in pairs:
        first, *more = name.split("[")
        keys = [first, *(part.removesuffix("]") for part in more)]
        if len(keys) > DEEPEST:
            raise bad_parameter(f"Invalid name: {name}", name)
        node = tree
        for key in keys[:-1]:
            node = node.setdefault(key, {})
            if not isinstance(node, dict):
                raise bad_parameter(f"Invalid name: {name}", name)
        node[keys[-1] or str(len(node))] = value
    return {key: _with_lists(node) for key, node in tree.items()}


def _with_lists(node: Any) -> Any:
    if not isinstance(node, dict):
        return node
    values = [_with_lists(value) for value in node.values()]
    return values if all(key.isdigit() for key in node) else dict(zip(node, values, strict=True))


def text_of(parameters: Mapping[str, Any], name: str, default: str | None = None) -> str:
    value = parameters.get(name, default)
    if not isinstance(value, str):
        raise bad_parameter(f"Missing required param: {name}.", name)
    return value


def number_of(parameters: Mapping[str, Any], name: str, default: int | None = None) -> int:
    value = parameters.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise bad_parameter(f"Missing required param: {name}.", name)
    if isinstance(value, str) and not (value.isascii() and value.isdigit() and len(value) < 16):
        raise bad_parameter(f"Invalid integer: {value}", name)
    return int(value)


def texts_of(parameters: Mapping[str, Any], name: str) -> dict[str, str]:
    """Such as metadata."""
    value = parameters.get(name, {})
    if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
        raise bad_parameter(f"Invalid hash: {name}", name)
    return value


def part_of(parameters: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = parameters.get(name, {})
    if not isinstance(value, dict):
        raise bad_parameter(f"Invalid hash: {name}", name)
    return value

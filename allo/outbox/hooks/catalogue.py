"""The kinds of events, as the apps register them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

TEST = "webhook.test"


@dataclass(frozen=True, slots=True)
class Kind:
    name: str
    says: str  # when it happens
    example: Mapping[str, Any]  # of its data


_kinds: dict[str, Kind] = {}


def register(name: str, says: str, example: Mapping[str, Any]) -> None:
    _kinds[name] = Kind(name, says, example)


def kinds() -> list[Kind]:
    """In the order in which they were registered: each app's together."""
    return list(_kinds.values())


def body(kind: str, at: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """What is posted. `at` is the time of the event, not of the post."""
    return {"type": kind, "timestamp": at, "data": data}

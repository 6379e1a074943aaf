"""The kinds of events, as the apps register them, and the readers of what they told roughly."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

TEST = "webhook.test"
# What was told and could not be read; no webhook hears of it.
UNREAD = "webhook.unread"


@dataclass(frozen=True, slots=True)
class Kind:
    name: str
    says: str  # when it happens
    example: Mapping[str, Any]  # of its data


class Whole(NamedTuple):
    """An event as it is written. `at` is text."""

    kind: str
    subject: str
    at: str
    data: Mapping[str, Any]


Reader = Callable[[Sequence[Sequence[Any]]], Iterable[Whole]]

_kinds: dict[str, Kind] = {}
_readers: dict[str, Reader] = {"": lambda told: (Whole(*event) for event in told)}


def register(name: str, says: str, example: Mapping[str, Any]) -> None:
    _kinds[name] = Kind(name, says, example)


def register_reader(told_by: str, reader: Reader) -> None:
    """It gets events in the order in which they were told, and keeps it."""
    _readers[told_by] = reader


def kinds() -> list[Kind]:
    """In the order in which they were registered: each app's together."""
    return list(_kinds.values())


def whole(told_by: str, events: Sequence[Sequence[Any]]) -> Iterable[Whole]:
    """What was told, as events."""
    return _readers[told_by](events)


def body(kind: str, at: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """What is posted. `at` is the time of the event, not of the post."""
    return {"type": kind, "timestamp": at, "data": data}

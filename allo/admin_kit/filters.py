"""The filters of a list. The first is visible; the others are collapsed, with what they are set to
beside them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib.admin.views.main import ChangeList


@dataclass(frozen=True, slots=True)
class Active:
    """What a collapsed filter is set to, and the address of the list without it."""

    title: str
    value: str
    without: str


@dataclass(frozen=True)
class Filters:
    first: Any | None
    folded: list[Any]
    active: list[Active]


def filters_of(changelist: ChangeList) -> Filters:
    """A filter with a text field is always collapsed."""
    specs = list(changelist.filter_specs)
    first = specs[0] if specs and not _is_typed(specs[0], changelist) else None
    folded = specs[1:] if first else specs
    return Filters(first, folded, [each for spec in folded for each in _active(spec, changelist)])


def _is_typed(spec: Any, changelist: ChangeList) -> bool:
    return any("without" in choice for choice in spec.choices(changelist))


def _active(spec: Any, changelist: ChangeList) -> Iterator[Active]:
    """The first choice of a filter means that it is not set."""
    everything, *choices = spec.choices(changelist)
    if value := everything.get("value"):
        yield Active(spec.title, value, everything["without"])
    for choice in choices:
        if choice["selected"]:
            yield Active(spec.title, str(choice["display"]), everything["query_string"])

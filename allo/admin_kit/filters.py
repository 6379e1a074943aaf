"""The filters of a list: the first is in view, the others fold away, and what these are set to
stands beside them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib.admin.views.main import ChangeList


@dataclass(frozen=True, slots=True)
class Active:
    """What a folded filter is set to, and the address of the list without it."""

    title: str
    value: str
    without: str


@dataclass(frozen=True)
class Filters:
    first: Any | None
    folded: list[Any]
    active: list[Active]


def filters_of(changelist: ChangeList) -> Filters:
    """A filter that one types into is always folded."""
    specs = list(changelist.filter_specs)
    first = specs[0] if specs and not _is_typed(specs[0], changelist) else None
    folded = specs[1:] if first else specs
    return Filters(first, folded, [each for spec in folded for each in _active(spec, changelist)])


def _is_typed(spec: Any, changelist: ChangeList) -> bool:
    return any("without" in choice for choice in spec.choices(changelist))


def _active(spec: Any, changelist: ChangeList) -> Iterator[Active]:
    """The first choice of a filter is not to filter."""
    everything, *choices = spec.choices(changelist)
    if value := everything.get("value"):
        yield Active(spec.title, value, everything["without"])
    for choice in choices:
        if choice["selected"]:
            yield Active(spec.title, str(choice["display"]), everything["query_string"])

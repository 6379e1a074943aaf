"""Lists that are read part by part while they change.

The address of the next part says where the last row that was shown stood in the list's order, so
that nothing is skipped or shown twice when rows before it come and go. A page's bare number works
as well: it counts from the start of the list as it is now.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet

SIZE = 21
# So many parts a whole page shows from the list's start; a later one it shows alone.
MOST_PARTS = 25
MOST_DIGITS = 6

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


class NoSuchPart(ValueError):
    """The address names no part of any list."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a part begins: at its number's, or after a row with these values of the order."""

    number: int
    after: tuple[Any, ...] | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """The keys of the rows to show, the last part's number, and where that begins among them."""

    keys: list[int]
    number: int
    start: int
    # The next part, as its address says it; None at the list's end.
    following: dict[str, Any] | None
    from_start: bool

    @property
    def next_number(self) -> int:
        return self.number + 1


def place(number: str, after: str, order: Sequence[str]) -> Place:
    """Reads an address. Raises `NoSuchPart`."""
    if not (number.isascii() and number.isdigit() and len(number) <= MOST_DIGITS and int(number)):
        raise NoSuchPart
    return Place(int(number), _read(after, order) if after else None)


def part(rows: QuerySet[Any], order: Sequence[str], place: Place, *, whole: bool) -> Part:
    """In this order, whose last field is unique; as a `whole` page also all before it, so that
    the address shows the list again as it had grown."""
    start, its_rows = _beginning(rows, order, place, whole=whole)
    found = list(its_rows.order_by(*order).values_list("pk", *_fields(order))[: start + SIZE + 1])
    shown = found[: start + SIZE]
    more = len(found) > len(shown)
    following = {"page": place.number + 1, "after": _written(shown[-1][1:])} if more else None
    keys = [row[0] for row in shown]
    return Part(keys, place.number, start, following, from_start=its_rows is rows)


def _beginning(
    rows: QuerySet[Any], order: Sequence[str], place: Place, *, whole: bool
) -> tuple[int, QuerySet[Any]]:
    """How many rows come before the part, and from where on they are shown."""
    if place.after is None:
        start = (place.number - 1) * SIZE
        if place.number == 1 or (whole and place.number <= MOST_PARTS):
            return start, rows
        keys = rows.order_by(*order).values("pk")[start : start + SIZE + 1]
        return 0, rows.filter(pk__in=keys)
    behind = _behind(order, place.after)
    if whole:
        start = rows.exclude(behind).count()
        if start <= MOST_PARTS * SIZE:
            return start, rows
    return 0, rows.filter(behind)


def _behind(order: Sequence[str], values: Sequence[Any]) -> Q:
    """Rows that come after the one with these values."""
    condition, same = Q(), Q()
    for field, name, value in zip(_fields(order), order, values, strict=True):
        after = "lt" if name.startswith("-") else "gt"
        condition |= same & Q(**{f"{field}__{after}": value})
        same &= Q(**{field: value})
    return condition


def _fields(order: Sequence[str]) -> list[str]:
    return [name.lstrip("-") for name in order]


def _written(values: Sequence[Any]) -> str:
    """42~7~…, the unique number first, since a name may contain anything."""
    texts = [
        str((value - EPOCH) // MICROSECOND) if isinstance(value, datetime) else str(value)
        for value in reversed(values)
    ]
    return "~".join(texts)


def _read(text: str, order: Sequence[str]) -> tuple[Any, ...]:
    texts = text.split("~", len(order) - 1)
    if len(texts) != len(order) or "\0" in text:
        raise NoSuchPart
    return tuple(_value(*pair) for pair in zip(_fields(order), reversed(texts), strict=True))


def _value(field: str, text: str) -> Any:
    if field == "name":
        return text
    if not (text.isascii() and text.isdigit() and len(text) <= 18):  # fits a bigint
        raise NoSuchPart
    try:
        return EPOCH + int(text) * MICROSECOND if field.endswith("_at") else int(text)
    except OverflowError:
        raise NoSuchPart from None

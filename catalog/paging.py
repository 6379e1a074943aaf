"""Paging of lists that change while they are read.

The address of the next part contains the sort values of the last row shown, so that no row is
skipped or repeated when earlier rows appear or disappear. A page number alone works too: it counts
from the start of the list as it is now.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet

SIZE = 21
# A whole page shows up to this many parts from the list's start; a later part is shown alone.
MOST_PARTS = 25
MOST_DIGITS = 6

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


class NoSuchPart(ValueError):
    """The address does not name a part."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a part begins: at its number's position, or after the row with these sort values."""

    number: int
    after: tuple[Any, ...] | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """The keys of the rows to show, the number of the last part, and the position of the first
    row."""

    keys: list[int]
    number: int
    start: int
    # The query string of the next part; None at the end of the list.
    following: dict[str, Any] | None
    from_start: bool

    @property
    def next_number(self) -> int:
        return self.number + 1


def place(number: str, after: str, order: Sequence[str]) -> Place:
    """Parses an address. Raises `NoSuchPart`."""
    if not (number.isascii() and number.isdigit() and len(number) <= MOST_DIGITS and int(number)):
        raise NoSuchPart
    return Place(int(number), _read(after, order) if after else None)


def part(rows: QuerySet[Any], order: Sequence[str], place: Place, *, whole: bool) -> Part:
    """The part at this place; the last field of `order` has to be unique. A `whole` page also
    contains all earlier parts, so that a reload shows the list as long as it had grown."""
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
    """How many rows come before the part, and the rows from the first that is shown."""
    if place.after is None:
        start = (place.number - 1) * SIZE
        if place.number == 1 or (whole and place.number <= MOST_PARTS):
            return start, rows
        keys = rows.order_by(*order).values("pk")[start : start + SIZE + 1]
        return 0, rows.filter(pk__in=keys)
    behind = _behind(order, place.after)
    if whole:
        start = counted(rows.exclude(behind), MOST_PARTS * SIZE)
        if start <= MOST_PARTS * SIZE:
            return start, rows
    return 0, rows.filter(behind)


def counted(rows: QuerySet[Any], most: int) -> int:
    """How many there are; `most + 1` for any number above it."""
    return rows.order_by().values("pk")[: most + 1].count()


def _behind(order: Sequence[str], values: Sequence[Any]) -> Q:
    """The condition for rows after the one with these values."""
    condition, same = Q(), Q()
    for field, name, value in zip(_fields(order), order, values, strict=True):
        after = "lt" if name.startswith("-") else "gt"
        condition |= same & Q(**{f"{field}__{after}": value})
        same &= Q(**{field: value})
    return condition


def _fields(order: Sequence[str]) -> list[str]:
    return [name.lstrip("-") for name in order]


def _written(values: Sequence[Any]) -> str:
    """As 42~7~…, with the values in reverse order: a name comes last, since it may contain "~"."""
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

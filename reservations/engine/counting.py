"""What the limits compare with, read under the locks of a batch."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings

from allo.postgresql import trips
from allo.postgresql.trips import Rows, Statement
from reservations.engine import sql
from reservations.engine.books import Books
from reservations.engine.commands import Command
from reservations.engine.cooling import Past
from reservations.engine.holder import Holder
from reservations.engine.limits import Customer


def statements(commands: Sequence[Command]) -> dict[str, Statement | None]:
    """For the commands that may hold more units, which are those that read prices."""
    holders = [command.holder for command in commands if command.reads_prices]
    names = {name for holder in holders if _has_a_past(holder) for name in holder.names}
    return {
        "units_at": _of(sql.UNITS_AT, {holder.limited_network for holder in holders}),
        "units_around": _of(sql.UNITS_AROUND, {holder.around for holder in holders}),
        "unpaid_at": _of(sql.UNPAID_AT, {holder.network for holder in holders if holder.has_share}),
        "histories": _of(sql.HISTORIES, names),
    }


def _has_a_past(holder: Holder) -> bool:
    limited = settings.RESERVATION_COOL_DOWN_MINUTES or holder.limited_network
    return bool(limited) and not holder.is_merchant


def _of(text: str, names: set[str]) -> Statement | None:
    asked = sorted(names - {""})
    return Statement(text, [asked]) if asked else None


def fill(books: Books, found: dict[str, Rows]) -> None:
    """Puts what the statements found into the books."""
    for address, row, units in found.get("units_at", ()):
        books.units_at[address][row] = units
    for address, units in found.get("units_around", ()):
        books.count_around(address, units)
    for address, row in found.get("unpaid_at", ()):
        books.unpaid_at[address][row] += 1
    for holder, bought, lifted_at, *past in found.get("histories", ()):
        history = books.histories[holder]
        history.bought, history.lifted_at = bought, lifted_at
        if past[0]:
            history.past.append(Past(*past))


def count(books: Books, customer: Customer) -> None:
    """Reads what the customer holds and has bought of the product."""
    values: list[Any] = [list(customer.names), list(customer.rows), books.now]
    (rows,) = trips.run([Statement(sql.OF_CUSTOMER, values)])
    names = {name for name, _, _ in rows}
    books.customers[customer] = names, {pk: units for _, pk, units in rows if pk}

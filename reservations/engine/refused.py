"""Counts refused attempts on a product with an opening, by the code of the refusal, for staff."""

from datetime import datetime

from allo.live import tallies
from reservations.engine.books import Books
from reservations.engine.commands import Command
from reservations.exceptions import IdempotencyConflict, InFlight, ReservationError


def note(books: Books, command: Command, refusal: ReservationError) -> None:
    """Of an attempt on a product with an opening. A key that is in use is no refusal."""
    if not command.reads_prices or isinstance(refusal, (InFlight, IdempotencyConflict)):
        return
    stock = books.stocks.get(command.rows[0])
    if stock and stock.opens_at:
        books.refused[tally_of(stock.product, stock.opens_at), refusal.code] += 1


def publish(books: Books) -> None:
    """Call it after the commit."""
    tallies.add(books.refused)


def of(product: int, opens_at: datetime) -> dict[str, int] | None:
    """Since this opening was set, by code; None if that is not known, without Redis."""
    return tallies.read(tally_of(product, opens_at))


def tally_of(product: int, opens_at: datetime) -> str:
    """One for each opening of a product, so that an opening that was moved counts anew."""
    return f"refused:{product}:{opens_at.timestamp():.0f}"

"""What a browser holds becomes an account's, when somebody signs in there."""

from collections.abc import Collection
from dataclasses import dataclass

from reservations.engine.books import Books
from reservations.engine.commands import Command
from reservations.engine.idempotency import Bag
from reservations.exceptions import Busy
from reservations.models import Reservation


class HoldsMore(Busy):
    """The visitor holds units of a row that is not locked, as it reserved them after its rows were
    read and before its name was locked. The caller reads its rows again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopt(Command):
    """Make what the visitor holds the account's. `rows` and `reservation_ids` are the visitor's, as
    read before any lock; under the lock of its name nothing is added to them.

    No limit is checked, since no unit is held that was not held before. Of a row of which the
    account holds units already, the visitor's reservation stays the visitor's: a holder has at most
    one of a row.
    """

    account: str
    visitor: str

    @property
    def holders(self) -> Collection[str]:
        # Both: neither may get a hold of these rows between the decision and the commit.
        return {self.account, self.visitor}

    def decide(self, books: Books) -> Bag:
        """Raises `HoldsMore`."""
        found = books.pending_of(self.visitor)
        living = [held for held in found if not held.is_due(books.now)]
        if any(held.inventory_id not in books.stocks for held in living):
            raise HoldsMore
        taken = self._rows_of_account(books)
        books.adopters.setdefault(self.visitor, self.account)
        free = [held for held in living if held.inventory_id not in taken]
        return Bag(tuple(books.adopt(held, self.account) for held in free))

    def _rows_of_account(self, books: Books) -> set[int]:
        """Of which the account has a living reservation. Dead ones of these rows are expired, or
        they would still count as its one of that row."""
        for held in books.pending_of(self.account):
            if held.is_due(books.now) and held.inventory_id in books.stocks:
                books.end(held, Reservation.Status.EXPIRED)
        return {held.inventory_id for held in books.pending_of(self.account)}

"""Why stock is not changed, in words for staff."""

from collections.abc import Mapping


class StockError(Exception):
    """Base of every refusal; nothing was changed."""


class BelowReserved(StockError):
    """Held units would be missing. `inventory_id` is the row, `total` what would be left."""

    def __init__(self, inventory_id: int, reserved: int, total: int) -> None:
        super().__init__(f"{total} would be left, but {reserved} are reserved.")
        self.inventory_id = inventory_id
        self.reserved = reserved
        self.total = total


class BelowZero(StockError):
    def __init__(self, missing: int) -> None:
        super().__init__(f"That is {missing} more than there are.")


class TooMany(StockError):
    def __init__(self, maximum: int) -> None:
        super().__init__(f"A row can hold at most {maximum:,} units.")


class ChangedMeanwhile(StockError):
    """The row has changed since it was shown: `found` is its total now."""

    def __init__(self, seen: int, found: int) -> None:
        super().__init__(f"It was {seen} when you looked, and is {found} now.")
        self.found = found


class Refused(StockError):
    """Several adjustments were refused: the error of each, by its place among them."""

    def __init__(self, errors: Mapping[int, StockError]) -> None:
        super().__init__(f"{len(errors)} could not be done, so none was done.")
        self.errors = errors


class AlreadyDone(StockError):
    def __init__(self) -> None:
        super().__init__("This was already done. Nothing was done twice.")


class Busy(StockError):
    def __init__(self) -> None:
        super().__init__(
            "Others are changing this stock, or the database is busy. Nothing was changed. Try"
            " again in a moment."
        )


class Storage(StockError):
    def __init__(self) -> None:
        super().__init__(
            "The database has no disk space left. Nothing was changed. Free space on its disk"
            " first."
        )

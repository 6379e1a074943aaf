"""Why a verb refuses. Each carries what a page or an API answer needs to say so."""

from typing import ClassVar
from uuid import UUID

from catalog.templatetags.money import inr


class ReservationError(Exception):
    """Base of every refusal; `code` is stable, `transient` refusals are worth a retry."""

    code: ClassVar[str]
    transient: ClassVar[bool] = False


class InsufficientStock(ReservationError):
    """`available` units are free; `held` the caller holds already, and keeps."""

    code = "insufficient_stock"

    def __init__(self, available: int, *, held: int = 0) -> None:
        more = " more" if held else ""
        super().__init__(f"Only {available}{more} left." if available else f"None{more} left.")
        self.available = available
        self.held = held


class AlreadyHeld(ReservationError):
    """The holder holds `quantity` units there, not as many as it asks to reserve."""

    code = "already_held"

    def __init__(self, reservation_id: UUID, quantity: int) -> None:
        super().__init__(f"You hold {quantity} of it already. Change how many that is.")
        self.reservation_id = reservation_id
        self.quantity = quantity


class QuantityChanged(ReservationError):
    """Not the quantity that the caller saw is held, but `quantity`: 0 if none any more."""

    code = "quantity_changed"

    def __init__(self, quantity: int) -> None:
        now = f"You hold {quantity} of it now" if quantity else "You no longer hold it"
        super().__init__(f"{now}. That has changed since you looked: look again.")
        self.quantity = quantity


class PriceChanged(ReservationError):
    """No more units can be held at `unit_paise`: one costs `now_paise` by now."""

    code = "price_changed"

    def __init__(self, unit_paise: int, now_paise: int) -> None:
        super().__init__(
            f"You hold it at {inr(unit_paise)} each, and one costs {inr(now_paise)} now. Keep what"
            " you hold at its price; more would have to be reserved anew."
        )
        self.unit_paise = unit_paise
        self.now_paise = now_paise


class LimitReached(ReservationError):
    """`limit` names the setting that refused, `maximum` is its value."""

    code = "limit_reached"

    def __init__(self, limit: str, maximum: int) -> None:
        super().__init__(f"{limit} allows {maximum}.")
        self.limit = limit
        self.maximum = maximum


class ReservationExpired(ReservationError):
    code = "reservation_expired"

    def __init__(self) -> None:
        super().__init__("The time to pay has passed.")


class NotPending(ReservationError):
    """The reservation already is in the final state `status`, to which staff took it or not."""

    code = "not_pending"

    def __init__(self, status: str, *, by_staff: bool = False) -> None:
        super().__init__(f"The reservation is {status}{' by the shop' * by_staff}.")
        self.status = status
        self.ended_by = "staff" if by_staff else "holder"


class IdempotencyConflict(ReservationError):
    code = "idempotency_conflict"

    def __init__(self) -> None:
        super().__init__("This key was used for another request.")


class InFlight(ReservationError):
    code = "in_flight"
    transient = True

    def __init__(self) -> None:
        super().__init__("A request with this key is still running.")


class Busy(ReservationError):
    """The database could not serve it now: a lock was not free within `LOCK_TIMEOUT_MS`, or it
    could not be reached. See `allo.postgresql.faults`."""

    code = "busy"
    transient = True

    def __init__(self) -> None:
        super().__init__("Many people want this at once. Try again in a moment.")


class Storage(ReservationError):
    """The database has no room to write: to try again at once is of no use."""

    code = "storage"

    def __init__(self) -> None:
        super().__init__(
            "The shop has no room left to write this down, so nothing was changed."
            " We have to make room first: try again in a few minutes."
        )

"""Why a verb refuses. Each refusal carries what a page or an API response shows of it."""

from datetime import datetime, timedelta
from math import ceil
from typing import ClassVar
from uuid import UUID

from django.utils.timezone import localtime

from catalog.openings import in_words
from catalog.templatetags.money import inr


class ReservationError(Exception):
    """Base of every refusal. `code` is stable, and a `transient` refusal is worth a retry. `hold`
    is the reservation it is about, if the request named several."""

    code: ClassVar[str]
    transient: ClassVar[bool] = False
    hold: UUID | None = None


class InsufficientStock(ReservationError):
    """`available` units are free; the caller already holds `held`, and keeps them. With `several`
    warehouses to choose from, so many are free in the one that has the most."""

    code = "insufficient_stock"

    def __init__(self, available: int, *, held: int = 0, several: bool = False) -> None:
        super().__init__(_left(available, more=" more" if held else "", several=several))
        self.available = available
        self.held = held
        self.several = several


def _left(available: int, *, more: str, several: bool) -> str:
    if not available:
        return f"None{more} left."
    if several:
        return f"At most {available} left in one warehouse."
    return f"Only {available}{more} left."


class WaitingList(ReservationError):
    """So many units are available, but they are for those on the waiting list."""

    code = "waiting_list"

    def __init__(self) -> None:
        super().__init__(
            "What is free goes to those on the waiting list first. You can join it, and get a mail"
            " when it is your turn."
        )


class AlreadyHeld(ReservationError):
    """The holder already holds `quantity` units there, and requested another quantity."""

    code = "already_held"

    def __init__(self, reservation_id: UUID, quantity: int) -> None:
        super().__init__(f"You already hold {quantity} of it. Change that reservation instead.")
        self.reservation_id = reservation_id
        self.quantity = quantity


class QuantityChanged(ReservationError):
    """`quantity` units are held (0: none any more), not as many as the caller saw."""

    code = "quantity_changed"

    def __init__(self, quantity: int) -> None:
        now = f"You hold {quantity} of it now" if quantity else "You no longer hold it"
        super().__init__(f"{now}. This has changed since you looked. Check and try again.")
        self.quantity = quantity


class TimeChanged(ReservationError):
    """The reservation lasts until `expires_at`, not as long as the caller saw."""

    code = "time_changed"

    def __init__(self, expires_at: datetime) -> None:
        super().__init__(
            f"It was extended meanwhile, and lasts until {localtime(expires_at):%H:%M:%S} now. If"
            " that is too short, extend it again."
        )
        self.expires_at = expires_at


class PriceChanged(ReservationError):
    """One costs `now_paise` now, so units cannot be added at `unit_paise`; or, if it is `seen`, not
    paid for at the price that a page showed."""

    code = "price_changed"

    def __init__(self, unit_paise: int, now_paise: int, *, seen: bool = False) -> None:
        before, now = inr(unit_paise), inr(now_paise)
        super().__init__(
            f"One costs {now}, not {before} as you saw. Check the total and try again."
            if seen
            else f"You hold it at {before} each, and one costs {now} now. You can"
            " keep what you hold at its price, but not add to it."
        )
        self.unit_paise = unit_paise
        self.now_paise = now_paise


class BeingPaid(ReservationError):
    """The reservation is on an open order."""

    code = "being_paid"

    def __init__(self) -> None:
        super().__init__(
            "It is being paid for right now. Finish that payment, or cancel it and try again."
        )


class LimitReached(ReservationError):
    """`limit` names what was reached, `maximum` is its value: a setting, `network_share` (of a
    product), `networks_around`, `offer` (of a waiting list), `max_units` of a token, or
    `max_per_customer` of a product."""

    code = "limit_reached"

    def __init__(self, limit: str, maximum: int) -> None:
        super().__init__(f"{limit} allows {maximum}.")
        self.limit = limit
        self.maximum = maximum


class CoolingDown(ReservationError):
    """So many holds of the product ended unpaid that this shopper cannot hold it before `until`."""

    code = "cooling_down"

    def __init__(self, unpaid: int, until: datetime) -> None:
        # The next full minute, so that nobody comes too early.
        shown = localtime(until + timedelta(minutes=1))
        super().__init__(
            f"{unpaid} times lately you held this and did not pay for it. You can hold it again"
            f" after {shown:%H:%M %Z}."
        )
        self.unpaid = unpaid
        self.until = until


class NotInShop(ReservationError):
    """Staff took the product out of the shop."""

    code = "not_in_shop"

    def __init__(self) -> None:
        super().__init__(
            "It was taken out of the shop. You can pay for what you hold of it, but not hold more."
        )


class NotOpen(ReservationError):
    """The product cannot be held before `opens_at`, which is `seconds` away, rounded up, by the
    clock of the database."""

    code = "not_open"
    transient = True

    def __init__(self, opens_at: datetime, now: datetime) -> None:
        super().__init__(f"It opens on {in_words(opens_at)}. Nobody can hold any before.")
        self.opens_at = opens_at
        self.seconds = ceil((opens_at - now).total_seconds())


class WaitingRoom(ReservationError):
    """The product has a waiting room that has not let the caller in, or the caller's ticket is
    `used`. No verb raises this: it is checked before a verb is called."""

    code = "waiting_room"
    transient = True

    def __init__(self, *, used: bool = False) -> None:
        super().__init__(
            "Your turn has passed, or was used. Take a new place: it is behind those who wait now."
            if used
            else "Many people want this at once, so they are let in one after another. Take a place"
            " in the waiting room: it leads back when it is your turn."
        )


class ReservationExpired(ReservationError):
    code = "reservation_expired"

    def __init__(self) -> None:
        super().__init__("The time to pay has passed.")


class NotPending(ReservationError):
    """The reservation is already in the final state `status`; `by_staff` if staff ended it."""

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
    """The database could not serve the request: a lock was not free within `LOCK_TIMEOUT_MS`, or
    the server could not be reached. See `allo.postgresql.faults`."""

    code = "busy"
    transient = True

    def __init__(self) -> None:
        super().__init__("Many people want this at once. Try again in a moment.")


class Storage(ReservationError):
    """The database has no disk space left, so an immediate retry is of no use."""

    code = "storage"

    def __init__(self) -> None:
        super().__init__(
            "The shop has no disk space left, so this was not saved and nothing was changed."
            " We have to free some first. Please try again in a few minutes."
        )

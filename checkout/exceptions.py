"""Why an order is refused."""

from uuid import UUID

from catalog.templatetags.money import inr
from reservations.exceptions import BeingPaid, PriceChanged, ReservationError


class OrderedAlready(ReservationError):
    """The money for it arrived meanwhile: it is sold on the order `order_id`."""

    code = "ordered_already"

    def __init__(self, order_id: UUID) -> None:
        super().__init__("This is ordered already.")
        self.order_id = order_id


class Overtaken(BeingPaid):
    """Another request changed how it is paid meanwhile. That request may fail, so this refusal is
    not stored: look again."""

    transient = True


class ShippingChanged(ReservationError):
    """Sending it costs `now_paise` now, and a page showed another price."""

    code = PriceChanged.code

    def __init__(self, seen_paise: int, now_paise: int) -> None:
        super().__init__(
            f"Shipping costs {inr(now_paise)} now, not {inr(seen_paise)} as you saw. Check the"
            " total and try again."
        )


class ProviderChanged(ReservationError):
    """It is paid at another provider, or on delivery, and a page showed that it was not."""

    code = "provider_changed"

    def __init__(self) -> None:
        super().__init__("Nothing was ordered. See how you pay now, and try again.")


class NotThatState(Exception):
    """The order is not in the state that this step begins from."""


class LeftChanged(Exception):
    """Another refund was made meanwhile: `left` paise can still be refunded."""

    def __init__(self, left: int) -> None:
        super().__init__(f"{left} paise are left")
        self.left = left


class RefundedAlready(Exception):
    """The same form was sent before."""


class NothingToRefund(Exception):
    """No money of the order was captured."""


class TooMuch(Exception):
    """Only `left` paise of the order can still be refunded."""

    def __init__(self, left: int) -> None:
        super().__init__(f"{left} paise are left")
        self.left = left

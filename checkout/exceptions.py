"""Why an order is refused."""

from uuid import UUID

from reservations.exceptions import BeingPaid, ReservationError


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

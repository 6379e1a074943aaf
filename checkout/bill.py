"""What an order of some holds would cost, before it is opened."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings

from checkout.orders.tax import included, percent_of_shipping
from reservations.models import Reservation


@dataclass(frozen=True, slots=True)
class Bill:
    """In paise. The shipping is added if it is sent, the tax is included."""

    goods: int
    gst: int
    shipping: int
    shipping_gst: int

    @property
    def sent(self) -> int:
        return self.goods + self.shipping

    @property
    def gst_if_sent(self) -> int:
        return self.gst + self.shipping_gst


def bill_of(holds: Sequence[Reservation]) -> Bill:
    percent = percent_of_shipping(hold.inventory.product.gst_percent for hold in holds)
    return Bill(
        goods=sum(hold.total_paise for hold in holds),
        gst=sum(gst_of(hold) for hold in holds),
        shipping=settings.SHIPPING_PAISE,
        shipping_gst=included(settings.SHIPPING_PAISE, percent),
    )


def gst_of(hold: Reservation) -> int:
    return included(hold.total_paise, hold.inventory.product.gst_percent)

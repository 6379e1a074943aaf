"""What calls that pay take and return."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from allo.api_kit.api import invalid
from checkout.forms import BuyerForm
from checkout.models import Contact
from checkout.models.order import NUMBER, PIN
from checkout.models.order_triggers import ADDRESS
from checkout.orders.drafts import Buyer
from reservations.api.schemas import Held

Send, Collect = Contact.Delivery.SEND, Contact.Delivery.COLLECT


class Address(BaseModel):
    """Where it goes, in India."""

    model_config = ConfigDict(strict=True, extra="forbid", title="Address")

    line1: Annotated[str, Field(min_length=1, max_length=120)]
    line2: Annotated[str, Field(max_length=120)] = ""
    city: Annotated[str, Field(min_length=1, max_length=80)]
    region: Annotated[
        str, Field(pattern="^[A-Z]{2}$", description="The state's code in ISO 3166-2:IN.")
    ]
    pin: Annotated[str, Field(pattern=PIN)]


class BuyerIn(BaseModel):
    """Whom it is for. Without an address it is collected at the warehouse."""

    model_config = ConfigDict(strict=True, extra="forbid", title="Buyer")

    name: Annotated[str, Field(min_length=1, max_length=120)]
    email: Annotated[str, Field(max_length=254, description="The receipt is sent there.")]
    phone: Annotated[
        str, Field(max_length=40, description="Of India, if it names no other country.")
    ]
    address: Address | None = None


class Purchase(BaseModel):
    """How the units are paid, and who buys them."""

    model_config = ConfigDict(strict=True, extra="forbid", title="Purchase")

    payment_method: Annotated[
        str | None,
        Field(
            pattern="^[!-~]{1,255}$",
            description="The payment provider's token of it, from your own integration.",
        ),
    ] = None
    buyer: Annotated[
        BuyerIn | None,
        Field(description="Without one the units are collected at the warehouse."),
    ] = None


class Bought(Held):
    """A reservation, and the number of the order in which it was sold. A sale by a merchant's token
    has no order."""

    model_config = ConfigDict(title="BoughtReservation")

    order: Annotated[str | None, Field(pattern=NUMBER)]


def buyer_of(said: BuyerIn | None) -> Buyer:
    """The buyer, checked by the shop's own form. Raises `Problem`."""
    if said is None:
        return Buyer()
    address = said.address.model_dump() if said.address else {}
    delivery = Send if said.address else Collect
    form = BuyerForm({**said.model_dump(exclude={"address"}), **address, "delivery": delivery})
    if not form.is_valid():
        raise invalid((_path(field), str(errors[0])) for field, errors in form.errors.items())
    return form.buyer()


def _path(field: str) -> str:
    return f"buyer.address.{field}" if field in ADDRESS else f"buyer.{field}"

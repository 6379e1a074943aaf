"""What the calls about reservations take and give."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from reservations.models import Reservation
from reservations.shop.forms import MOST

SLUG = "^[-a-zA-Z0-9_]{1,80}$"
CUSTOMER = "^[A-Za-z0-9._~-]{1,40}$"


class Wanted(BaseModel):
    """The units to hold."""

    model_config = ConfigDict(strict=True, extra="forbid", title="Wanted")

    product: Annotated[str, Field(pattern=SLUG, description="The product's slug.")]
    warehouse: Annotated[
        str | None,
        Field(
            pattern="^[-a-zA-Z0-9_]{1,20}$",
            description="Its code. Without it: the warehouse with the most units.",
        ),
    ] = None
    quantity: Annotated[int, Field(ge=1, le=MOST)]
    customer: Annotated[
        str | None,
        Field(
            pattern=CUSTOMER,
            description="Of a merchant's system: for whom. The limits of one shopper hold for"
            " each customer. Others' is ignored.",
        ),
    ] = None


class Quantity(BaseModel):
    """How many units to hold in all."""

    model_config = ConfigDict(strict=True, extra="forbid", title="Quantity")

    quantity: Annotated[int, Field(ge=1, le=MOST)]


class Held(BaseModel):
    """A reservation. `status` is never stale: past `expires_at` it is not `pending`. Name and price
    are the product's when it was reserved, and do not change."""

    model_config = ConfigDict(title="Reservation")

    id: UUID
    status: Reservation.Status
    product: str
    name: str
    warehouse: str
    quantity: int
    unit_paise: int
    total_paise: int
    currency: Literal["INR"]
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    ended_by: Annotated[
        Literal["holder", "staff", "clock"] | None,
        Field(description="Its holder, the shop's staff, or the clock when its time ran out."),
    ]
    withdrawn: Annotated[
        Reservation.Cause | None, Field(description="Why staff released it, if they did.")
    ]
    renewals: int
    renewals_left: int


class NewlyHeld(Held):
    """A new reservation. `token` is a bearer token for anonymous callers, else null."""

    model_config = ConfigDict(title="NewReservation")

    token: str | None

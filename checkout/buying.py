"""What the pages show on which one orders: the buyer's form, and what it comes to."""

import re
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from checkout import contacts
from checkout.bill import bill_of
from checkout.commands import Hold
from checkout.forms import BuyerForm
from checkout.models import Contact
from checkout.orders.showing import listed
from reservations.models import Reservation


def form_context(
    form: BuyerForm, holds: Sequence[Reservation], ticked: Sequence[Reservation] | None = None
) -> dict[str, Any]:
    """`ticked` are those of them that are to be ordered."""
    names = sorted({hold.inventory.warehouse.name for hold in holds})
    return {
        "form": form,
        "bill": bill_of(holds if ticked is None else ticked),
        "first_end": min(hold.expires_at for hold in holds),
        "warehouses": listed(names),
        "places": len(names),
        "window": settings.PAYMENT_WINDOW_SECONDS // 60,
    }


def initial(contact: Contact | None) -> dict[str, str]:
    """What was typed before. Most have it sent."""
    if contact is None:
        return {"delivery": Contact.Delivery.SEND}
    typed = {field: getattr(contact, field) for field in contacts.FIELDS}
    return {**typed, "delivery": typed["delivery"] or Contact.Delivery.SEND}


def shown(request: HttpRequest, field: str = "quantity") -> int | None:
    """A number that the form showed; None if it was not sent."""
    number = request.POST.get(field, "")
    return int(number) if re.fullmatch("[0-9]{1,9}", number) else None


def shown_hold(request: HttpRequest, hold: Reservation, name: str = "") -> Hold:
    """The hold as the form showed it, in fields that end with `name`; what it does not say is as it
    is now."""
    quantity, unit_paise = (shown(request, f"{it}{name}") for it in ("quantity", "unit_paise"))
    return Hold(
        hold.pk,
        hold.quantity if quantity is None else quantity,
        hold.unit_paise if unit_paise is None else unit_paise,
    )

"""What the pages show on which a shopper orders: the buyer's form, and the amounts."""

import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from checkout import addresses, contacts
from checkout.bill import bill_of
from checkout.commands import Hold
from checkout.forms import BuyerForm
from checkout.models import Address, Contact
from checkout.orders.showing import listed
from reservations.models import Reservation


def form_context(
    request: HttpRequest,
    form: BuyerForm | None,
    holds: Sequence[Reservation],
    ticked: Sequence[Reservation] | None = None,
) -> dict[str, Any]:
    """`ticked` are the holds that are to be ordered. Without a form, it is filled in with what was
    typed before."""
    account = addresses.account_of(request)
    # Without an account not even asked for: to compile a query that finds nothing takes as long.
    saved = list(addresses.of(request)) if account else []
    form = form or BuyerForm(initial=_initial(request, contacts.for_page_of(holds[0]), saved))
    names = sorted({hold.inventory.warehouse.name for hold in holds})
    return {
        "form": form,
        "kept_at": holds[0].pk,
        "addresses": saved,
        "may_save": bool(account),
        "bill": bill_of(holds if ticked is None else ticked),
        "first_end": min(hold.expires_at for hold in holds),
        "warehouses": listed(names),
        "places": len({hold.inventory.warehouse_id for hold in holds}),
        "window": settings.PAYMENT_WINDOW_SECONDS // 60,
    }


def _initial(
    request: HttpRequest, contact: Contact | None, saved: Sequence[Address]
) -> dict[str, str]:
    """What was typed before, or else what the account has. Delivery is the default."""
    typed = {field: getattr(contact, field) for field in contacts.FIELDS} if contact else {}
    if not contact and request.user.is_authenticated:
        typed["email"] = request.user.email
    if saved and not contact:
        typed |= addresses.values_of(saved[0])
    return {**typed, "delivery": typed.get("delivery") or Contact.Delivery.SEND}


def use_address(request: HttpRequest, hold: Reservation) -> None:
    """Replaces the address that was typed before by the saved one that the form names. One that
    was removed meanwhile replaces nothing."""
    saved = [row for row in addresses.of(request) if str(row.pk) == request.POST.get("address")]
    if saved:
        typed = _initial(request, contacts.for_page_of(hold), saved)
        typed |= addresses.values_of(saved[0]) | {"delivery": Contact.Delivery.SEND}
        contacts.keep(contacts.Typed(hold.pk, **typed))


def remember(request: HttpRequest, form: BuyerForm) -> None:
    """Saves the address of the purchase, if the buyer ticked that. A full address book must not
    stop a sale."""
    typed = form.cleaned_data
    account = addresses.account_of(request)
    if account and typed["remember"] and typed["line1"]:
        with suppress(addresses.TooMany):
            addresses.save(account, typed)


def shown(request: HttpRequest, field: str = "quantity") -> int | None:
    """A number that the form showed; None if it was not sent."""
    number = request.POST.get(field, "")
    return int(number) if re.fullmatch("[0-9]{1,9}", number) else None


def shown_hold(request: HttpRequest, hold: Reservation, name: str = "") -> Hold:
    """The hold as the form showed it, from fields whose names end with `name`; a field that is
    missing has the value of now."""
    quantity, unit_paise = (shown(request, f"{it}{name}") for it in ("quantity", "unit_paise"))
    return Hold(
        hold.pk,
        hold.quantity if quantity is None else quantity,
        hold.unit_paise if unit_paise is None else unit_paise,
    )

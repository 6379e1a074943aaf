"""The mail to those on the waiting list; its templates are in `templates/mail/`."""

from collections.abc import Mapping
from typing import Any

from allo.outbox import services as outbox
from allo.outbox.kinds import register
from allo.outbox.models import Message
from reservations.models import Reservation, WaitingEntry


def offer_letter(entry: WaitingEntry, offer: Reservation) -> Message:
    """W7. One for each offer, written in its transaction."""
    return _letter("list_offer", entry, {"offer": str(offer.pk)})


def closed_letter(entry: WaitingEntry) -> Message:
    """To each who waited when staff closed the list."""
    return _letter("list_closed", entry, {})


def _letter(kind: str, entry: WaitingEntry, more: Mapping[str, str]) -> Message:
    context = {"entry": str(entry.pk), **more}
    return outbox.message(key=f"{kind}:{entry.pk}", kind=kind, to=entry.email, context=context)


def of_offer(context: Mapping[str, Any]) -> Mapping[str, Any]:
    offer = Reservation.objects.with_stock().get(pk=context["offer"])
    return {"offer": offer}


def of_closed(context: Mapping[str, Any]) -> Mapping[str, Any]:
    entry = WaitingEntry.objects.select_related("product").get(pk=context["entry"])
    closure = entry.product.listclosure_set.first()
    return {"entry": entry, "closure": closure}


register("list_offer", of_offer)
register("list_closed", of_closed)

"""The mail to those on the waiting list; its templates are in `templates/mail/`."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from allo.outbox import services as outbox
from allo.outbox.kinds import register
from allo.outbox.models import Message
from reservations.models import Reservation, WaitingEntry
from reservations.waiting.links import link_to

Facts = Mapping[str, Any]

JOIN, OFFER, ENDED, CLOSED = KINDS = "list_join", "list_offer", "list_ended", "list_closed"


def join_letter(entry: WaitingEntry, once: str) -> Message:
    """Asks to confirm it. Of several with the same `once` only the first is written."""
    return _letter(JOIN, entry, once)


def offer_letter(entry: WaitingEntry) -> Message:
    """W7. One for each offer, written in its transaction."""
    return _letter(OFFER, entry, str(entry.pk))


def closed_letter(entry: WaitingEntry) -> Message:
    """To everybody who waited when staff closed the list."""
    return _letter(CLOSED, entry, str(entry.pk))


def delete_unsent(entries: Iterable[UUID]) -> None:
    """The mail about entries that are deleted: nothing is left to tell."""
    about = Message.objects.filter(context__entry__in=[str(pk) for pk in entries], sent_at=None)
    about.filter(kind__in=KINDS).delete()


def offers_sent(entries: Iterable[WaitingEntry]) -> list[WaitingEntry]:
    """Of entries whose offers have ended, those whose offer mail was sent before the end. A mail
    that was sent later said itself that the offer had ended."""
    keys = {f"{OFFER}:{entry.pk}": entry for entry in entries}
    sent = Message.objects.filter(key__in=keys, sent_at__isnull=False).values_list("key", "sent_at")
    return [keys[key] for key, at in sent if at and at < _end_of(keys[key])]


def _end_of(entry: WaitingEntry) -> datetime:
    assert entry.offer, "it was made an offer"
    assert entry.offer.ended_at, "that has ended"
    return entry.offer.ended_at


def ended_letter(entry: WaitingEntry) -> Message:
    """To somebody whose offer lapsed or was taken back."""
    return _letter(ENDED, entry, str(entry.pk))


def _letter(kind: str, entry: WaitingEntry, name: str) -> Message:
    context = {"entry": str(entry.pk)}
    return outbox.message(key=f"{kind}:{name}", kind=kind, to=entry.email, context=context)


def of_entry(context: Facts) -> Facts:
    """The facts at the time when the mail is sent. An offer past its time counts as lapsed. The
    links are made here, so they are stored nowhere."""
    entry = WaitingEntry.objects.with_offer().get(pk=context["entry"])
    state = entry.state
    offer = entry.offer and Reservation.objects.with_stock().get(pk=entry.offer.pk)
    if offer and offer.is_pending and offer.past_due:
        state = WaitingEntry.State.LAPSED
    facts = {"entry": entry, "product": entry.product, "state": state, "offer": offer}
    return {**facts, "link": link_to(entry), "unsubscribe": link_to(entry, "unsubscribe")}


def of_closed(context: Facts) -> Facts:
    """The last closure's reason. Staff may have reopened the list and closed it again since."""
    entry = WaitingEntry.objects.with_offer().get(pk=context["entry"])
    return {"product": entry.product, "closure": entry.product.listclosure_set.first()}


register(JOIN, of_entry)
register(OFFER, of_entry)
register(ENDED, of_entry)
register(CLOSED, of_closed)

"""Who may see an entry of the waiting list: its account, and a browser that opened a signed link to
it."""

from uuid import UUID

from django.http import Http404, HttpRequest

from allo.web import mail_links
from reservations.models import WaitingEntry
from reservations.shop.holders import OPENED_ENTRIES, address_key_of
from reservations.waiting import links


def entry_of(request: HttpRequest, entry_id: UUID) -> WaitingEntry:
    """The shopper's own entry. Raises `Http404` for others', as for one that does not exist."""
    entry = _found(entry_id)
    if not _may_see(request, entry):
        raise Http404("no such entry")
    return entry


def let_in(request: HttpRequest, entry_id: UUID, key: str) -> WaitingEntry:
    """The entry of a signed link in a mail; remembers that this browser opened it. Raises
    `Http404`."""
    entry = by_key(entry_id, key)
    remember(request, entry)
    return entry


def by_key(entry_id: UUID, key: str) -> WaitingEntry:
    entry = _found(entry_id)
    if not links.opens(entry, key):
        raise Http404("no such entry")
    return entry


def remember(request: HttpRequest, entry: WaitingEntry) -> None:
    mail_links.remember(request, OPENED_ENTRIES, entry.pk)


def _may_see(request: HttpRequest, entry: WaitingEntry) -> bool:
    here = str(entry.pk) in request.session.get(OPENED_ENTRIES, [])
    return here or entry.email_key == address_key_of(request)


def _found(entry_id: UUID) -> WaitingEntry:
    entry = WaitingEntry.objects.with_offer().filter(pk=entry_id).first()
    if entry is None:
        raise Http404("no such entry")
    return entry

"""Joining by an address that is not proved yet: the link in a mail leads to the place, which begins
when it is confirmed there."""

from datetime import timedelta
from hashlib import sha256
from typing import Any

from django.db import connection, transaction
from django.db.models import Q
from django.db.models.functions import Now

from allo.outbox import services as outbox
from allo.outbox.addresses import key_of
from allo.outbox.models import Message
from reservations.list_exceptions import AlreadyWaiting, TooManyMails
from reservations.models import WaitingEntry
from reservations.waiting import mail, services

# To one address, so that nobody fills a mailbox.
MOST_MAILS = ((6, timedelta(hours=1)), (20, timedelta(days=1)))
# A pair of numbers never equals the single number of another advisory lock. It is taken before all
# others, and nobody who holds one of those waits for it.
_ADDRESS = 8033


@transaction.atomic
def ask(*, email: str, once: str, **asked: Any) -> None:
    """Writes the mail, once for the form with the key `once`. A person who waits already gets the
    link to the place: what the caller sees is the same, so nobody learns who is on the list.

    Raises as `services.join` otherwise, and `TooManyMails`.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [_ADDRESS, key_of(email)])
    _check_mails(email)
    entry = _entry(email=email, confirmed=False, **asked)
    outbox.put_all([mail.join_letter(entry, _digest(entry, once))])


def _entry(**asked: Any) -> WaitingEntry:
    try:
        return services.join(**asked)
    except AlreadyWaiting as refusal:
        return refusal.entry


def _check_mails(email: str) -> None:
    to_it = Q(to__iexact=email) | Q(to__iexact=key_of(email))
    written = Message.objects.filter(to_it, kind=mail.JOIN)
    for most, span in MOST_MAILS:
        if written.filter(created_at__gt=Now() - span).count() >= most:
            raise TooManyMails


def _digest(entry: WaitingEntry, once: str) -> str:
    """The form's key of one person and product: a client chooses it, and it can be long."""
    return sha256(f"{entry.product_id} {entry.email_key} {once}".encode()).hexdigest()

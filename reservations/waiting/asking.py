"""Joining with an address that is not confirmed yet: the link in a mail leads to the entry's page,
where the person confirms it. Only then is it on the list."""

from datetime import timedelta
from hashlib import sha256
from typing import Any

from django.db import connection, transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.crypto import salted_hmac

from allo.outbox import services as outbox
from allo.outbox.addresses import key_of
from allo.outbox.models import Message
from reservations.list_exceptions import AlreadyWaiting, TooManyMails
from reservations.models import WaitingEntry
from reservations.waiting import mail, services

# To one address, so that nobody fills a mailbox.
MOST_MAILS = ((6, timedelta(hours=1)), (20, timedelta(days=1)))
# Of these, requested from one network, so that a stranger cannot use up all of them.
MOST_FROM_NETWORK = ((4, timedelta(hours=1)), (12, timedelta(days=1)))
# A pair of numbers never equals the single number of another advisory lock. It is taken before all
# others, and nobody who holds one of those waits for it.
_ADDRESS = 8033


@transaction.atomic
def ask(*, email: str, once: str, **asked: Any) -> None:
    """Writes the mail, once for the form with the key `once`. A person who is on the list already
    gets a mail too, with the link to that entry. The caller sees the same, so nobody learns who is
    on the list.

    Raises `TooManyMails`, and what `services.join` raises except `AlreadyWaiting`.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [_ADDRESS, key_of(email)])
    place = _place_of(asked["network"])
    _check_mails(email, place)
    entry = _entry(email=email, confirmed=False, **asked)
    outbox.put_all([mail.join_letter(entry, place + _digest(entry, once))])


def _entry(**asked: Any) -> WaitingEntry:
    try:
        return services.join(**asked)
    except AlreadyWaiting as refusal:
        return refusal.entry


def _check_mails(email: str, place: str) -> None:
    to_it = Q(to__iexact=email) | Q(to__iexact=key_of(email))
    written = Message.objects.filter(to_it, kind=mail.JOIN)
    from_here = written.filter(key__startswith=f"{mail.JOIN}:{place}")
    for mails, limits in ((written, MOST_MAILS), (from_here, MOST_FROM_NETWORK)):
        for most, span in limits:
            if mails.filter(created_at__gt=Now() - span).count() >= most:
                raise TooManyMails


def _place_of(network: str) -> str:
    """A hash of the network, for a mail's key."""
    return f"{salted_hmac('reservations.waiting.asking', network).hexdigest()[:12]}."


def _digest(entry: WaitingEntry, once: str) -> str:
    """The form's key, for one person and product. Hashed, as a client chooses it and it can be
    long."""
    return sha256(f"{entry.product_id} {entry.email_key} {once}".encode()).hexdigest()

"""The signed links in the mail about an entry: the key of one opens it without an account."""

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.urls import reverse

from reservations.models import WaitingEntry

_signer = Signer(salt="reservations.waiting")


def link_to(entry: WaitingEntry, page: str = "place") -> str:
    """Absolute, for a mail."""
    return f"{settings.SITE_URL}{path_to(entry, page)}?key={key_of(entry)}"


def path_to(entry: WaitingEntry, page: str = "place") -> str:
    return reverse(f"waiting:{page}", args=[entry.pk])


def key_of(entry: WaitingEntry) -> str:
    return _signer.signature(str(entry.pk))


def opens(entry: WaitingEntry, key: str) -> bool:
    try:
        _signer.unsign(f"{entry.pk}:{key}")
    except BadSignature:
        return False
    return True

"""The two kinds of bearer token: a merchant's, which staff create and revoke, and a hold's, which
is signed and not stored."""

import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from datetime import timedelta
from hashlib import sha256
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import User
from django.core.signing import BadSignature, TimestampSigner
from django.db.models import Q
from django.utils import timezone

from reservations.clock.pruning import keys_live
from reservations.models import ApiToken

MERCHANT, HOLD = "allo_", "hold_"
# How much of a secret lists show, to recognise it.
_SHOWN = len(MERCHANT) + 6
# The precision of `last_used_at`: a write for each call would cost more than the call.
_USE_EVERY = timedelta(minutes=1)

_salt = "allo.hold"


# --- A merchant's system ------------------------------------------------------------------------


def create(
    *,
    name: str,
    scopes: Sequence[str],
    rate: str = "600/m",
    max_units: int = 200,
    created_by: User | None = None,
    key: int | None = None,
) -> tuple[ApiToken, str]:
    """The new token, under this primary key or a new one, and its secret, which cannot be shown
    again."""
    secret = MERCHANT + secrets.token_urlsafe(32)
    token = ApiToken.objects.create(
        pk=key,
        name=name,
        scopes=list(scopes),
        rate=rate,
        max_units=max_units,
        created_by=created_by,
        prefix=secret[:_SHOWN],
        digest=sha256(secret.encode()).digest(),
    )
    return token, secret


def revoke(token: ApiToken) -> bool:
    """Revokes the token, in effect for its next call; false if it was revoked before."""
    live = ApiToken.objects.filter(pk=token.pk, revoked_at=None)
    return bool(live.update(revoked_at=timezone.now()))


def merchant_of(secret: str) -> ApiToken | None:
    digest = sha256(secret.encode(errors="replace")).digest()
    token = ApiToken.objects.filter(digest=digest, revoked_at=None).first()
    if token:
        _used(token)
    return token


def _used(token: ApiToken) -> None:
    now = timezone.now()
    if token.last_used_at is None or token.last_used_at < now - _USE_EVERY:
        long_ago = Q(last_used_at=None) | Q(last_used_at__lt=now - _USE_EVERY)
        ApiToken.objects.filter(long_ago, pk=token.pk, revoked_at=None).update(last_used_at=now)


# --- One hold -----------------------------------------------------------------------------------


def hold_token(reservation_id: UUID) -> str:
    """The token to act on this reservation, and to read how it ended until its keys are deleted."""
    name = urlsafe_b64encode(reservation_id.bytes).decode().rstrip("=")
    return HOLD + TimestampSigner(salt=_salt).sign(name)


def held_by(token: str) -> UUID | None:
    """The reservation's id; None for a forged or expired token."""
    longest = settings.RESERVATION_TTL_SECONDS * (1 + settings.RESERVATION_MAX_RENEWALS)
    age = timedelta(seconds=longest) + keys_live()
    try:
        name = TimestampSigner(salt=_salt).unsign(token.removeprefix(HOLD), max_age=age)
        return UUID(bytes=urlsafe_b64decode(name + "=="))
    except (BadSignature, ValueError):
        return None

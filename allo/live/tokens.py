"""Signed topics: a page may listen to the topics in its tokens, which its scripts can read."""

import time
from collections.abc import Iterable
from typing import NamedTuple

from django.core.signing import BadSignature, TimestampSigner, b62_decode

# A page that stays open longer gets new tokens with its fragments.
MAX_AGE_SECONDS = 12 * 3600


class Listening(NamedTuple):
    topics: frozenset[str]
    # When the oldest of the tokens was signed, in seconds since the epoch.
    since: float


def sign(topics: Iterable[str]) -> str:
    return _signer().sign(" ".join(topics))


def read(tokens: list[str]) -> Listening:
    """All topics of these tokens, since the oldest. Raises `BadSignature`, also for none at all."""
    if not tokens:
        raise BadSignature("no token")
    signed = [_signer().unsign(token, max_age=MAX_AGE_SECONDS) for token in tokens]
    topics = frozenset(topic for topics in signed for topic in topics.split(" "))
    # A token has whole seconds.
    return Listening(topics, min(b62_decode(token.rsplit(":", 2)[1]) for token in tokens))


def age(listening: Listening) -> float:
    return time.time() - listening.since


def _signer() -> TimestampSigner:
    return TimestampSigner(salt="allo.live")

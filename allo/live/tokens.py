"""Signed topics: a page may listen to the topics in its tokens, which its scripts can read.

A token is `topics:when:signature`. Topics of a holder end after `MAX_AGE_SECONDS`. Those of a
shared page have no end, and `when` is "-": such a page may stay open for days, and what its topics
say is no secret.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from django.core.signing import BadSignature, Signer, TimestampSigner, b62_decode

# A page that stays open longer gets new tokens with its fragments.
MAX_AGE_SECONDS = 12 * 3600
SALT = "allo.live"
FOR_EVER = ":-"


class Listening(NamedTuple):
    topics: frozenset[str]
    # When the oldest token that ends was signed, in seconds since the epoch; infinite without any.
    since: float
    # The moments, in microseconds, of changes that the page shows already: it is not told of them.
    shown: frozenset[int] = frozenset()


def sign(topics: Iterable[str]) -> str:
    return _signer().sign(" ".join(topics))


def sign_shared(topics: Iterable[str]) -> str:
    """Ids of one kind stand together, as in `product:1.2.3`: addresses have a limited length."""
    ids: defaultdict[str, list[str]] = defaultdict(list)
    for topic in topics:
        kind, _, pk = topic.partition(":")
        ids[kind].append(pk)
    together = " ".join(f"{kind}:{'.'.join(pks)}" for kind, pks in ids.items())
    return Signer(salt=SALT).sign(together + FOR_EVER)


def read(tokens: list[str]) -> Listening:
    """All topics of these tokens. Raises `BadSignature`, also for none at all."""
    if not tokens:
        raise BadSignature("no token")
    signed = [_topics_of(token) for token in tokens]
    topics = frozenset(topic for topics, _ in signed for topic in topics)
    return Listening(topics, min(signed_at for _, signed_at in signed))


def _topics_of(token: str) -> tuple[list[str], float]:
    value = token.rpartition(":")[0]
    if value.endswith(FOR_EVER):
        together = Signer(salt=SALT).unsign(token).removesuffix(FOR_EVER)
        return [*_apart(together)], math.inf
    topics = _signer().unsign(token, max_age=MAX_AGE_SECONDS)
    # A token has whole seconds.
    return topics.split(" "), b62_decode(value.rpartition(":")[2])


def _apart(together: str) -> Iterator[str]:
    for topics in together.split(" "):
        kind, _, ids = topics.partition(":")
        yield from (f"{kind}:{pk}" for pk in ids.split("."))


def _signer() -> TimestampSigner:
    return TimestampSigner(salt=SALT)

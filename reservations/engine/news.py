"""What open pages are told once a transaction has committed."""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from hashlib import blake2b
from uuid import UUID

from django.conf import settings

from allo import live
from reservations.engine.books import Books


def tell(books: Books) -> None:
    live.publish(*_topics(books))


def tell_expired(products: Iterable[int], reservations: Iterable[tuple[UUID, str]]) -> None:
    topics = {f"product:{product}" for product in products}
    for pk, holder in reservations:
        topics |= {reservation_topic(pk), holder_topic(holder)}
    live.publish(*topics)


def reservation_topic(pk: UUID) -> str:
    return f"reservation:{pk}"


def holder_topic(holder: str) -> str:
    """Who holds what is nobody else's business: a page reads its topics, not its holder."""
    return f"holder:{blake2b(holder.encode(), key=_key(), digest_size=12).hexdigest()}"


def _topics(books: Books) -> Iterator[str]:
    for stock in books.stocks.values():
        if stock.sold_now or stock.held_now:
            yield f"product:{stock.product}"
    # Of a hold that is new there is no page yet.
    for reservation in books.held:
        yield holder_topic(reservation.holder)
    for reservation in books.changed.values():
        yield holder_topic(reservation.holder)
        yield reservation_topic(reservation.pk)


@lru_cache(maxsize=1)
def _key() -> bytes:
    return blake2b(settings.SECRET_KEY.encode(), person=b"allo.holder").digest()

"""Events: what a transaction has changed, for all that is told of it after the commit."""

from collections.abc import Iterable
from typing import Protocol

from allo.live.publisher import publish


class Event(Protocol):
    @property
    def topics(self) -> tuple[str, ...]:
        """What open pages listen to so as to hear of it."""


def tell(events: Iterable[Event]) -> None:
    """To be called after the commit; costs the caller microseconds, whatever Redis does."""
    publish(*{topic for event in events for topic in event.topics})

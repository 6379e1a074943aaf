"""Events: what a transaction has changed, to be published after its commit."""

from collections.abc import Iterable
from typing import Protocol

from allo.live.publisher import publish


class Event(Protocol):
    @property
    def topics(self) -> tuple[str, ...]:
        """The topics under which open pages receive it."""


def tell(events: Iterable[Event]) -> None:
    """Call it after the commit. It takes microseconds, whatever the state of Redis."""
    publish(*{topic for event in events for topic in event.topics})

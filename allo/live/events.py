"""Events: what a transaction has changed, to be published after its commit."""

from collections.abc import Iterable
from typing import Protocol

from allo.live.message import Message
from allo.live.publisher import send


class Event(Protocol):
    @property
    def messages(self) -> tuple[Message, ...]:
        """What open pages receive."""


def publish_events(events: Iterable[Event]) -> None:
    """Call it after the commit. It takes microseconds, whatever the state of Redis."""
    send([message for event in events for message in event.messages])

"""What is sent to open pages: that a thing has changed, and to what if that is a few numbers."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Self

# The key of a change that numbers do not describe: pages request their own parts anew.
ANEW = "page"
EVERYTHING = "*"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
# What is older than what is known is passed over, unless it is so much older that the clock itself
# was set back, as by a failover to another database server.
SET_BACK_MICROS = 60_000_000


def micros(moment: datetime) -> int:
    """Microseconds since the epoch, exactly."""
    return (moment - EPOCH) // MICROSECOND


class Message(NamedTuple):
    """A topic, and within it a key: of each key only the newest message matters.

    `at` is in microseconds, by the clock of the database if a transaction made the change: read
    under the lock of what `key` names, so that the newest is the last. `follow` is whether the
    publisher's thread looks up more to say about it (`settings.LIVE_ADDITIONS`). With the key
    `ANEW`, `numbers` may be how many pages at most make their request in a second, however long
    that takes.
    """

    topic: str
    at: int
    key: str = ANEW
    numbers: str = ""
    follow: bool = False

    @property
    def name(self) -> tuple[str, str]:
        return self.topic, self.key

    @property
    def line(self) -> str:
        return f"{self.topic} {self.key} {self.at} {self.numbers}".rstrip()

    @classmethod
    def read(cls, line: str) -> Self:
        topic, key, at, *numbers = line.split(" ", 3)
        return cls(topic, int(at), key, "".join(numbers))

    def adding(self, number: str) -> Self:
        """The same with one more number, newer than it is."""
        return self._replace(at=self.at + 1, numbers=f"{self.numbers} {number}", follow=False)

    def is_news(self, known: "Message | None") -> bool:
        """What pages request anew is always news: its messages come from several clocks."""
        if known is None or self.key == ANEW:
            return True
        return not 0 < known.at - self.at < SET_BACK_MICROS


def keep_newest(kept: dict[tuple[str, str], Message], messages: Iterable[Message]) -> None:
    for message in messages:
        if message.is_news(kept.get(message.name)):
            kept[message.name] = message

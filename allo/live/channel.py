"""The format of messages in Redis: topics, one per line, on one channel."""

from collections.abc import Iterable


def pack(topics: Iterable[str]) -> bytes:
    return "\n".join(topics).encode()


def unpack(message: bytes) -> list[str]:
    return message.decode().split("\n")

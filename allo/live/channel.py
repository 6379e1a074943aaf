"""How topics travel through Redis: lines of a message on one channel."""

from collections.abc import Iterable


def pack(topics: Iterable[str]) -> bytes:
    return "\n".join(topics).encode()


def unpack(message: bytes) -> list[str]:
    return message.decode().split("\n")

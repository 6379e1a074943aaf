"""The format in Redis: messages, one per line, on one channel."""

from collections.abc import Iterable

from allo.live.message import Message


def pack(messages: Iterable[Message]) -> bytes:
    return "\n".join(message.line for message in messages).encode()


def unpack(sent: bytes) -> list[Message]:
    """Raises `ValueError` for what is none of ours."""
    return [Message.read(line) for line in sent.decode().split("\n")]

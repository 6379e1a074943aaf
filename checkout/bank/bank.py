"""What every part of the bank works with."""

import threading
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from checkout.bank.books import Books


@dataclass(frozen=True)
class Bank:
    """`key` is what the shop calls it with. Without a `hook_url` no webhook is sent."""

    books: Books
    url: str
    key: str
    hook_url: str
    hook_secret: str
    # Of times on its pages.
    zone: ZoneInfo
    # Set when a webhook was written.
    news: threading.Event = field(default_factory=threading.Event)

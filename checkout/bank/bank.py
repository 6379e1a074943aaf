"""What every part of the bank works with."""

import threading
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from checkout.bank.books import Books


@dataclass(frozen=True)
class Bank:
    """`key` is the secret key that the shop's calls must carry. Without a `hook_url` no webhook is
    sent."""

    books: Books
    url: str
    key: str
    hook_url: str
    hook_secret: str
    # The time zone of its pages.
    zone: ZoneInfo
    # Set after a webhook was written.
    news: threading.Event = field(default_factory=threading.Event)

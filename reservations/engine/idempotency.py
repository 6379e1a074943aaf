"""What makes a retry safe: a client's key, what it asked, and how its answer is put in words."""

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reservations.exceptions import ReservationError
    from reservations.models import Reservation


@dataclass(frozen=True, slots=True)
class Answer:
    """The final answer under a key, as stored; `replayed` if it was given before."""

    status: int
    body: str
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Once:
    """At most one effect for one key of one client at one endpoint.

    `render` turns the outcome into the answer while the transaction is open, so that the answer
    is stored with its effect or not at all. It must not query, and it must not raise.
    """

    client: str
    endpoint: str
    key: str
    request: bytes = field(repr=False)
    render: "Callable[[Reservation | ReservationError], Answer]" = field(repr=False)

    @property
    def name(self) -> tuple[str, str, str]:
        """What the key is unique for, in the order of the database's constraint."""
        return (self.client, self.endpoint, self.key)

    @property
    def request_hash(self) -> bytes:
        return sha256(self.request).digest()

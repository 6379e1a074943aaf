"""What makes a retry safe: a client's key, a hash of its request, and the stored reply."""

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from uuid import UUID

from reservations.exceptions import ReservationError
from reservations.models import Reservation

# A key's scope: client, endpoint, key, in the order of the database's unique constraint.
Name = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Bag:
    """The result of a command on several reservations, and the order that they are on, if any."""

    holds: tuple[Reservation, ...]
    order: UUID | None = None


# The result of a command.
Outcome = Reservation | Bag | ReservationError


@dataclass(frozen=True, slots=True)
class Reply:
    """The final response under a key, as it is stored; `replayed` if it was sent before."""

    status: int
    body: str
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Once:
    """At most one effect for one key of one client at one endpoint.

    `render` makes the reply from the outcome while the transaction is open, so the reply is stored
    with its effect or not at all. It must not query, and it must not raise.
    """

    client: str
    endpoint: str
    key: str
    request: bytes = field(repr=False)
    render: Callable[[Outcome], Reply] = field(repr=False)

    @property
    def name(self) -> Name:
        return (self.client, self.endpoint, self.key)

    @property
    def request_hash(self) -> bytes:
        return sha256(self.request).digest()

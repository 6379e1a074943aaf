"""What makes a retry safe: a client's key, the request it stands for, and its stored reply."""

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256

from reservations.exceptions import ReservationError
from reservations.models import Reservation

# What a key is unique for: client, endpoint, key, in the order of the database's constraint.
Name = tuple[str, str, str]
# What a command came to.
Outcome = Reservation | ReservationError


@dataclass(frozen=True, slots=True)
class Reply:
    """The final answer under a key, as it is stored; `replayed` if it was given before."""

    status: int
    body: str
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Once:
    """At most one effect for one key of one client at one endpoint.

    `render` puts the outcome into a reply while the transaction is open, so that the reply is
    stored with its effect or not at all. It must not query, and it must not raise.
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

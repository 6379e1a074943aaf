"""The callers of the API, and what each may see and do.

`Browser` is known by the shop's cookies: its holds are those of the pages, its keys belong to the
holder, and unsafe calls need the CSRF token. `Nobody` is anonymous: each call is a new holder's.
`Bearer` sends the token from the 201 of a hold, and may act on that hold alone. `Merchant` sends an
API token: each of its customers is a holder, and its keys belong to the token.

An anonymous caller has no name beyond one call, yet a retry after a lost response must not hold
twice. So its keys belong to its network, and the key is a secret: the same key and body from the
same network get the same response, with its token. A random UUID cannot be guessed by others on
that network; from another network the same key is a different one. If the address cannot be known,
many clients share one network, so only random UUIDs are accepted.
"""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID, uuid4

from django.conf import settings
from django.http import Http404, HttpRequest

from allo.api_kit.problems import Kind, Problem
from allo.web.address import UNKNOWN, client_network
from allo.web.idempotency_key import is_random_uuid
from allo.web.rate import seconds_to_wait
from inventory.shelves import Shelves
from reservations import services
from reservations.admission import Entrance
from reservations.engine.commands import Holder
from reservations.models import ApiToken, Reservation
from reservations.shop import holders, limits, room

Scope = ApiToken.Scope

INVALID_KEY = Kind(
    400,
    "invalid_idempotency_key",
    "Invalid Idempotency-Key",
    "Idempotency-Key must be 1 to 255 visible ASCII characters.",
)
INVALID_TOKEN = Kind(
    401, "invalid_token", "Invalid token", "The bearer token is unknown, revoked or too old."
)
INSUFFICIENT_SCOPE = Kind(
    403,
    "insufficient_scope",
    "Insufficient scope",
    "This token may not do that.",
    {"scope": "reserve"},
)
NO_RESERVATION = "no reservation of yours with this id"


@dataclass(frozen=True, slots=True)
class Caller:
    """An API caller, possibly anonymous."""

    request: HttpRequest
    gives_token: ClassVar[bool] = False

    def owns(self, reservation: Reservation) -> bool:
        raise NotImplementedError

    def check(self, scope: Scope) -> None:
        """Raises `Problem` if the caller lacks this scope."""

    @property
    def cap(self) -> int | None:
        """The limit on its unpaid units; None is the setting's."""
        return None

    @property
    def others(self) -> tuple[str, ...]:
        """Holders who are the same person as the holder of its reservations."""
        return ()

    def offers(self, max_per_customer: int | None) -> tuple[str, ...]:  # noqa: ARG002
        """The holders of the waiting list's offers to it, for a product with this limit."""
        return ()

    def may_hold_more(self) -> bool:
        """Whether it may add units to a hold of its own."""
        return True

    def wait(self, scope: Scope) -> int:
        """Counts a writing call; returns the seconds to wait if the rate limit is exceeded, else
        0."""
        network = client_network(self.request)
        if scope is Scope.RESERVE:
            return seconds_to_wait(settings.RESERVE_RATE, "reserve", network)
        if scope is Scope.CONFIRM:
            return seconds_to_wait(settings.PAY_RATE, "pay", network)
        return seconds_to_wait(settings.API_RATE, "api", network)

    def holder(self, customer: str | None) -> Holder:
        """The holder of a new hold, and what its unpaid units are counted by."""
        raise NotImplementedError

    def entrance(self, shelves: Shelves) -> Entrance | None:
        """The check before it holds some; None without a waiting room."""
        return room.entrance_of(self.request, shelves.product_id, shelves.opens_at)

    def check_key(self, key: str) -> None:
        """Raises `Problem` for a key that other clients might use too."""

    def key_owner(self, holder: str) -> str:
        """The client that the keys belong to, for requests about a reservation of this holder."""
        return holder

    def reservation(self, reservation_id: UUID) -> Reservation:
        """The caller's own reservation, never stale. Raises `Http404` for any other."""
        try:
            found = services.get(reservation_id=reservation_id)
        except Reservation.DoesNotExist:
            raise Http404(NO_RESERVATION) from None
        if not self.owns(found):
            raise Http404(NO_RESERVATION)
        return found


class Nobody(Caller):
    gives_token = True

    def owns(self, reservation: Reservation) -> bool:  # noqa: ARG002
        return False

    def holder(self, customer: str | None) -> Holder:  # noqa: ARG002
        return Holder(f"anonymous:{uuid4()}", client_network(self.request))

    def check_key(self, key: str) -> None:
        if client_network(self.request) == UNKNOWN and not is_random_uuid(key):
            detail = "Your network address cannot be known, so the key must be a random UUID (v4)."
            raise Problem(INVALID_KEY, detail)

    def key_owner(self, holder: str) -> str:  # noqa: ARG002
        return f"address:{client_network(self.request)}"


class Browser(Caller):
    @property
    def others(self) -> tuple[str, ...]:
        return tuple(holders.names_here(self.request))

    def offers(self, max_per_customer: int | None) -> tuple[str, ...]:
        return holders.offers_counted(self.request, max_per_customer)

    def owns(self, reservation: Reservation) -> bool:
        return holders.may_see(self.request, reservation)

    def wait(self, scope: Scope) -> int:
        own = limits.to_write(self.holder(None).name)
        return own or Caller.wait(self, scope)

    def holder(self, customer: str | None) -> Holder:  # noqa: ARG002
        known = holders.holder_for(self.request)
        assert known, "caller_of makes an unknown browser Nobody"
        return known


@dataclass(frozen=True, slots=True)
class Bearer(Caller):
    reservation_id: UUID

    def owns(self, reservation: Reservation) -> bool:
        return reservation.pk == self.reservation_id

    def check(self, scope: Scope) -> None:
        if scope is Scope.RESERVE:
            detail = "This token is for one reservation; call without it to make another."
            raise Problem(INSUFFICIENT_SCOPE, detail, scope=str(scope))

    def wait(self, scope: Scope) -> int:
        own = seconds_to_wait(settings.API_RATE, "hold", str(self.reservation_id))
        return own or Caller.wait(self, scope)


@dataclass(frozen=True, slots=True)
class Merchant(Caller):
    """Each customer it names is a holder with a shopper's limits; without a customer each call is a
    new holder's. All of them together may hold `max_units`."""

    token: ApiToken

    @property
    def name(self) -> str:
        return f"token:{self.token.pk}"

    def owns(self, reservation: Reservation) -> bool:
        return reservation.holder.startswith(f"{self.name}:")

    def check(self, scope: Scope) -> None:
        if scope not in self.token.scopes:
            raise Problem(INSUFFICIENT_SCOPE, scope=str(scope))

    @property
    def cap(self) -> int:
        return self.token.max_units

    def may_hold_more(self) -> bool:
        return Scope.RESERVE in self.token.scopes

    def entrance(self, shelves: Shelves) -> None:
        """It does not wait: it has a rate and a cap of its own."""

    def wait(self, scope: Scope) -> int:  # noqa: ARG002
        return seconds_to_wait(self.token.rate, "token", self.name)

    def holder(self, customer: str | None) -> Holder:
        name = f"{self.name}:{customer or uuid4()}"
        return Holder(name, network=self.name, cap=self.cap)

    def key_owner(self, holder: str) -> str:  # noqa: ARG002
        return self.name

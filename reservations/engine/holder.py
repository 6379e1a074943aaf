"""Whose a new hold is, and what it counts towards."""

from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Network, ip_network

from django.conf import settings

from reservations.models import OF_LIST


@lru_cache(maxsize=4096)
def places_around(network: str) -> tuple[str, ...]:
    """The networks around a network, the nearest first: the /24 of an IPv4 address as "192.0.2";
    the /56 and the /48 of a /64 as 14 and 12 digits. None, if it is no network: of a token, or of
    callers whose address is unknown."""
    try:
        known = ip_network(network)
    except ValueError:
        return ()
    if isinstance(known, IPv6Network):
        digits = known.network_address.exploded.replace(":", "")
        return digits[:14], digits[:12]
    return (str(known.network_address).rpartition(".")[0],)


def around(network: str) -> str:
    """The widest of them, or ""."""
    return "".join(places_around(network)[-1:])


@dataclass(frozen=True, slots=True)
class Holder:
    """The owner of a new hold. Its unpaid units count towards the cap of `network`, unless that is
    "". `cap` is that limit: None is the setting's, 0 is no limit. `others` are further holders who
    are the same person, such as the browser of an account; `offers` are those of the waiting list's
    offers to that person, needed only where a product has `max_per_customer`."""

    name: str
    network: str = ""
    cap: int | None = None
    others: tuple[str, ...] = ()
    offers: tuple[str, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        return frozenset((self.name, *self.others)) - {""}

    @property
    def most(self) -> int:
        common: int = settings.RESERVATION_MAX_UNITS_PER_ADDRESS
        return common if self.cap is None else self.cap

    @property
    def is_list(self) -> bool:
        """Whether it holds an offer of a waiting list."""
        return self.name.startswith(OF_LIST)

    @property
    def is_merchant(self) -> bool:
        """Then the cap of its token is its only limit on what is held together."""
        return self.cap is not None

    @property
    def limited_network(self) -> str:
        """The network whose held units have to be counted; "" if none."""
        return self.network if self.most or self.has_share else ""

    @property
    def has_share(self) -> bool:
        return bool(settings.RESERVATION_MAX_SHARE) and not self.is_merchant

    @property
    def around(self) -> str:
        """The networks around it, if their units have to be counted."""
        limited = self.most and any(settings.RESERVATION_AROUND_FACTORS) and not self.is_merchant
        return around(self.network) if limited else ""


NOBODY = Holder("")

"""The network that a request comes from, as far as it can be trusted."""

import logging
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network, ip_address, ip_network
from threading import Event
from typing import Any

from django.conf import settings
from django.http import HttpRequest

logger = logging.getLogger(__name__)

# All clients whose address cannot be known share this network and its limits.
UNKNOWN = "unknown"
SHOWN_CHARACTERS = 60
AROUND = ((56, 4), (48, 16))

_met_unknown = Event()


def client_network(request: HttpRequest) -> str:
    """The client's /32, or its /64 for IPv6, where one client has 2**64 addresses; or `UNKNOWN`."""
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "")
    return _known(_client(forwarded, request.META.get("REMOTE_ADDR", "")))


def around_ipv6(network: str) -> tuple[tuple[IPv6Network, int], ...]:
    """The /56 and the /48 around a /64, since one line may have either, each with how many times as
    much as one network they may do together; none for anything else."""
    if not network.endswith("/64"):
        return ()
    try:
        known = IPv6Network(network)
    except ValueError:
        return ()
    return tuple((known.supernet(new_prefix=bits), times) for bits, times in AROUND)


def with_around(network: str) -> tuple[tuple[str, int], ...]:
    """The network itself, and those of `around_ipv6`, by their names."""
    around = ((str(wider), times) for wider, times in around_ipv6(network))
    return (network, 1), *around


def scope_network(scope: dict[str, Any]) -> str:
    """The same for an ASGI scope, in which a repeated header appears several times."""
    headers: Iterable[tuple[bytes, bytes]] = scope["headers"]
    forwarded = [value.decode("latin-1") for name, value in headers if name == b"x-forwarded-for"]
    peer = (scope.get("client") or ("",))[0]
    return _known(_client(",".join(forwarded), peer))


def met_unknown() -> bool:
    """Whether this process has served a client whose address it could not know."""
    return _met_unknown.is_set()


def _known(client: str) -> str:
    network = _network_of(client)
    if network == UNKNOWN and not _met_unknown.is_set():
        _met_unknown.set()
        logger.warning(
            "the address of a client is %a: such clients share the limits of one network."
            " TRUSTED_PROXIES says how many proxies add to X-Forwarded-For.",
            client[:SHOWN_CHARACTERS],
        )
    return network


@lru_cache(maxsize=1024)
def _network_of(client: str) -> str:
    try:
        address = ip_address(_bare(client))
    except ValueError:
        return UNKNOWN
    if isinstance(address, IPv6Address):
        if not address.ipv4_mapped:
            return str(ip_network((address, 64), strict=False))
        address = address.ipv4_mapped
    return f"{address}/32"


def _bare(client: str) -> str:
    """The address without a port, brackets or a zone, which a proxy may add."""
    if client.startswith("["):
        client = client[1:].partition("]")[0]
    elif client.count(":") == 1:
        client = client.partition(":")[0]
    return client.partition("%")[0]


def _client(forwarded: str, peer: str) -> str:
    """Each trusted proxy appends its client's address. Entries further left may be forged."""
    hops = [*filter(None, forwarded.split(",")), peer]
    trusted = min(settings.TRUSTED_PROXIES, len(hops) - 1)
    return str(hops[-1 - trusted]).strip()

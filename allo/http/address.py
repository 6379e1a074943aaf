"""Where a request comes from, as far as that can be believed."""

from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest


def client_network(request: HttpRequest) -> str:
    """The client's /32, or its /64 of IPv6: who has one IPv6 address has 2**64. "" if unknown."""
    return _network_of(_client(request))


@lru_cache(maxsize=1024)
def _network_of(client: str) -> str:
    try:
        address = ip_address(client)
    except ValueError:
        return ""
    if isinstance(address, IPv6Address):
        if not address.ipv4_mapped:
            return str(ip_network((address, 64), strict=False))
        address = address.ipv4_mapped
    return f"{address}/32"


def _client(request: HttpRequest) -> str:
    """Each trusted proxy appends whom it heard from; what stands further left anyone may write."""
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "")
    hops = [*filter(None, forwarded.split(",")), request.META.get("REMOTE_ADDR", "")]
    trusted = min(settings.TRUSTED_PROXIES, len(hops) - 1)
    return str(hops[-1 - trusted]).strip()

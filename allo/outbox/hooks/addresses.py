"""Which addresses events are posted to: only public ones, however they are written.

Checked when a webhook is saved, and again for each connection, as a name may lead elsewhere by
then.
"""

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

from allo import resolver

LONGEST = 500
# Printable ASCII; some programs read a backslash as a slash.
PLAIN = re.compile(r"[!-\[\]-~]*")
# A name with a dot, whose last part begins with a letter: no number in any notation is one.
NAME = re.compile(
    r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]"
)
# Reserved for local use, by RFC 6761, 6762, 8375 and 9476, or by custom.
LOCAL = re.compile(
    r"(^|\.)(localhost|localdomain|local|internal|intranet|lan|home|corp|private|home\.arpa|alt"
    r"|test|invalid|onion|in-addr\.arpa|ip6\.arpa)$"
)
# An IPv4 address is inside, which counts. `::ffff:0:0/96` is unpacked by the library.
TRANSLATED = (IPv6Network("64:ff9b::/96"), IPv6Network("::/96"))
UNICAST = IPv6Network("2000::/3")
# Tunnels, and what only the latest versions of Python know to be reserved.
RESERVED = (
    IPv6Network("2001::/23"), IPv6Network("2002::/16"), IPv6Network("3fff::/20"),
    IPv4Network("192.0.0.0/24"), IPv4Network("192.88.99.0/24"),
)  # fmt: skip


class BadUrl(ValueError):
    """Why nothing is posted there, as a sentence."""


def checked(url: str) -> str:
    """The address in its plain form. Raises `BadUrl`."""
    parts = _parts(url)
    host = _host(parts)
    if parts.scheme != "https" and not (settings.WEBHOOK_PRIVATE and parts.scheme == "http"):
        raise BadUrl("Give an address that begins with https://.")
    if not settings.WEBHOOK_PRIVATE and (not NAME.fullmatch(host) or LOCAL.search(host)):
        raise BadUrl(
            "Give the name of a public server, such as hooks.example.com: no number, and no name"
            " of a local network."
        )
    port = f":{parts.port}" if parts.port else ""
    shown = f"[{host}]" if ":" in host else host
    return parts._replace(netloc=f"{shown}{port}").geturl()


def _parts(url: str) -> SplitResult:
    if len(url) > LONGEST or not PLAIN.fullmatch(url):
        raise BadUrl(f"Give an address of at most {LONGEST} plain characters, without spaces.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise BadUrl("This is not an address.") from None
    if "@" in parts.netloc:
        raise BadUrl("Give an address without a user's name and password.")
    if parts.fragment or url.endswith("#") or port == 0:
        raise BadUrl("Give an address without # at its end, and with a port above 0, if any.")
    return parts


def _host(parts: SplitResult) -> str:
    if not (host := (parts.hostname or "").removesuffix(".")):
        raise BadUrl("Give a whole address, such as https://hooks.example.com/allo.")
    return host


def found(host: str, port: int, seconds: float) -> list[str]:
    """The IP addresses behind a name. Raises `BadUrl` if one of them is not public, `OSError`
    if there is none, or not within these seconds. Connect to these, and not to the name: the next
    look-up may find others."""
    ips = resolver.ip_addresses(host, port, seconds)
    for ip in ips:
        if not is_public(ip) and not (settings.WEBHOOK_PRIVATE and ip_address(ip).is_loopback):
            raise BadUrl("It leads to an address that is not public.")
    return ips


def is_public(ip: str) -> bool:
    address = _unpacked(ip_address(ip.partition("%")[0]))
    if address.is_multicast or address.is_reserved or not address.is_global:
        return False
    if any(address in network for network in RESERVED):
        return False
    return isinstance(address, IPv4Address) or address in UNICAST


def _unpacked(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped:
        return address.ipv4_mapped
    if any(address in network for network in TRANSLATED):
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address

"""The addresses at which the shop and its live updates answer."""

import http.client
import socket
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self
from urllib.parse import urlsplit

from allo.embedded.errors import RunnerError

LOOPBACK = "127.0.0.1"
OFF = {"", "0", "false", "off", "no"}
# These mean "every interface"; a browser cannot open them.
VISITABLE = {"0.0.0.0": LOOPBACK, "::": "::1"}  # noqa: S104
LOCAL_NAMES = "localhost,127.0.0.1,[::1]"


@dataclass(frozen=True)
class Address:
    host: str
    port: int
    setting: str = "PORT"
    health: str = "/livez"
    # By what name other machines know it, if it listens on every interface.
    public: str = ""

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Self:
        host = environ.get("HOST") or LOOPBACK
        site = urlsplit(environ.get("SITE_URL", ""))
        # With TLS a proxy is in between, and its ports are not these.
        known = host in VISITABLE and site.scheme == "http"
        public = (site.hostname or "") if known else ""
        return cls(host, _port(environ, "PORT") or 8000, public=public)

    def live(self, environ: Mapping[str, str]) -> Self:
        """Where the live server listens."""
        return replace(self, setting="LIVE_PORT", health="/live/health")._beside(environ, 1000)

    def bank(self, environ: Mapping[str, str]) -> Self:
        """Where the bank listens; only ever on the loopback interface."""
        bank = replace(self, host=LOOPBACK, public="", setting="BANK_PORT", health="/health")
        return bank._beside(environ, 2000)

    def _beside(self, environ: Mapping[str, str], distance: int) -> Self:
        """With the given port, or else one derived from the shop's port, so that open pages find it
        again after a restart; if that is taken, any free one."""
        if chosen := _port(environ, self.setting):
            return replace(self, port=chosen)
        far = self.port + distance > 65535
        usual = replace(self, port=self.port + (-distance if far else distance))
        return usual if usual._refusal() is None else replace(self, port=self._any_port())

    def require_free(self) -> None:
        """Check this before anything starts, as the log of a failing server is hard to find."""
        if reason := self._refusal():
            raise RunnerError(
                f"Cannot listen on {self.host}, port {self.port}: {reason}.",
                "Stop what uses it, or choose another port:"
                f" {self.setting}={self.port + 1} make up",
            )

    def _refusal(self) -> str | None:
        try:
            self._listen(self.port).close()
        except OSError as error:
            return str(error.strerror).partition(" (while")[0]
        return None

    def _any_port(self) -> int:
        with self._listen(0) as server:
            return int(server.getsockname()[1])

    def _listen(self, port: int) -> socket.socket:
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        return socket.create_server((self.host, port), family=family)

    @property
    def url(self) -> str:
        return f"http://{self._names[0]}:{self.port}/"

    @property
    def is_unnamed(self) -> bool:
        """Other machines can connect, but its links lead to this one alone."""
        return self.host in VISITABLE and not self.public

    def names(self, environ: Mapping[str, str]) -> str:
        """What the shop allows as Host: the given names, and its own, as the runner checks its
        health and the bank reports payments by them."""
        return ",".join([environ.get("ALLOWED_HOSTS") or LOCAL_NAMES, *self._names])

    @property
    def origins(self) -> list[str]:
        """The origins of a browser: on this machine it may use either name."""
        names = self._names + ["localhost"] * (LOOPBACK in self._names)
        return [f"http://{name}:{self.port}" for name in names]

    def answers(self, seconds: float = 5.0) -> bool:
        status, _ = self._ask(self.health, seconds)
        return 0 < status < 500

    def get(self, path: str, seconds: float = 5.0) -> bytes:
        """Return the response body; nothing after the timeout or for an error."""
        status, body = self._ask(path, seconds)
        return body if status == 200 else b""

    def _ask(self, path: str, seconds: float) -> tuple[int, bytes]:
        """Return the status, 0 after the timeout, and the body."""
        connection = http.client.HTTPConnection(self._visitable, self.port, timeout=seconds)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException):
            return 0, b""
        finally:
            connection.close()

    @property
    def _visitable(self) -> str:
        return VISITABLE.get(self.host, self.host)

    @property
    def _names(self) -> list[str]:
        hosts = filter(None, [self.public, self._visitable])
        return [f"[{host}]" if ":" in host else host for host in hosts]


@dataclass(frozen=True)
class Addresses:
    """`bank` is None if another provider takes the payments."""

    shop: Address
    live: Address
    bank: Address | None

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Self:
        shop = Address.read(environ)
        shop.require_free()
        bank = shop.bank(environ) if _bank_is_wanted(environ) else None
        return cls(shop, shop.live(environ), bank)

    def require_free(self) -> None:
        for address in (self.shop, self.live, self.bank):
            if address:
                address.require_free()


def _bank_is_wanted(environ: Mapping[str, str]) -> bool:
    """By default; in PRODUCTION only if it is named, as there is no default provider."""
    production = environ.get("PRODUCTION", "").lower() not in OFF
    return (environ.get("PAYMENT_PROVIDER") or ("" if production else "bank")) == "bank"


def _port(environ: Mapping[str, str], name: str) -> int:
    """The port; 0 if none is set."""
    port = environ.get(name)
    if not port:
        return 0
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise RunnerError(f"{name}={port} is not a port.", "Give a number from 1 to 65535.")
    return int(port)

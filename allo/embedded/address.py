"""The addresses at which the shop and its live updates answer."""

import http.client
import socket
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

from allo.embedded.errors import RunnerError

# These mean "every interface", which is no address to visit.
VISITABLE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104


@dataclass(frozen=True)
class Address:
    host: str
    port: int
    setting: str = "PORT"
    health: str = "/livez"

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Self:
        return cls(environ.get("HOST") or "127.0.0.1", _port(environ, "PORT") or 8000)

    def live(self, environ: Mapping[str, str]) -> Self:
        """Where the live server listens: the port that was set, else one derived from the shop's
        port (so that open pages find it after a restart), else any free one."""
        beside = replace(self, setting="LIVE_PORT", health="/live/health")
        if chosen := _port(environ, beside.setting):
            return replace(beside, port=chosen)
        usual = replace(beside, port=self.port + (1000 if self.port <= 64535 else -1000))
        return usual if usual._refusal() is None else replace(beside, port=self._any_port())

    def require_free(self) -> None:
        """Check this before anything starts, rather than leave it to the log of a failing
        server."""
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
        host = self._visitable
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}/"

    @property
    def origins(self) -> list[str]:
        """The origins of a browser on this machine: it may use either name."""
        own = self.url.removesuffix("/")
        return [own, own.replace("127.0.0.1", "localhost")] if "127.0.0.1" in own else [own]

    def answers(self, seconds: float = 5.0) -> bool:
        return self.get(self.health, seconds) is not None

    def get(self, path: str, seconds: float = 5.0) -> bytes | None:
        """Return the response body; None after the timeout or for a server error."""
        connection = http.client.HTTPConnection(self._visitable, self.port, timeout=seconds)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.read() if response.status < 500 else None
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    @property
    def _visitable(self) -> str:
        return VISITABLE.get(self.host, self.host)


def _port(environ: Mapping[str, str], name: str) -> int:
    """The port; 0 if none is set."""
    port = environ.get(name)
    if not port:
        return 0
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise RunnerError(f"{name}={port} is not a port.", "Give a number from 1 to 65535.")
    return int(port)

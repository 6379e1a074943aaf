"""The address at which the shop answers."""

import http.client
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from allo.embedded.errors import RunnerError

# To listen on every interface is not an address one can visit.
VISITABLE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104


@dataclass(frozen=True)
class Address:
    host: str
    port: int

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Self:
        port = environ.get("PORT") or "8000"
        if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
            raise RunnerError(f"PORT={port} is not a port.", "Give a number from 1 to 65535.")
        return cls(environ.get("HOST") or "127.0.0.1", int(port))

    def require_free(self) -> None:
        """Find out before anything is started, not from the log of a server that cannot bind."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        try:
            socket.create_server((self.host, self.port), family=family).close()
        except OSError as error:
            reason = str(error.strerror).partition(" (while")[0]
            raise RunnerError(
                f"Cannot listen on {self.host}, port {self.port}: {reason}.",
                f"Stop what uses it, or choose another port: PORT={self.port + 1} make up",
            ) from None

    @property
    def url(self) -> str:
        host = self._visitable
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}/"

    def answers(self) -> bool:
        return self.get("/livez") is not None

    def get(self, path: str) -> bytes | None:
        """Return what is served there; None if nothing is, or an error of the server's."""
        connection = http.client.HTTPConnection(self._visitable, self.port, timeout=5)
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

"""Posts to an address that another system gave: bounded in time and size, without redirects, and
only to the addresses that were checked."""

import io
import socket
import ssl
import time
from contextlib import ExitStack
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any, Self
from urllib.parse import urlsplit

from allo.outbox.hooks import addresses

# Of an answer; what follows is not read.
MOST_BYTES = 2048


@dataclass(frozen=True, slots=True)
class Answer:
    status: int | None  # None without an answer
    text: str


class Unreachable(Exception):
    """No answer came. The text says why, and quotes nothing."""


def post(url: str, body: bytes, headers: dict[str, str], seconds: float) -> Answer:
    """Raises `Unreachable`; `BadUrl` if it leads to an address that is not public."""
    ends = time.monotonic() + seconds
    try:
        with _Connection(url, ends) as connection:
            parts = urlsplit(url)
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request("POST", target, body, headers)
            with connection.getresponse() as response:
                return Answer(response.status, _text(response))
    except TimeoutError:
        raise Unreachable(f"No whole answer within {seconds:g} s") from None
    except ssl.SSLCertVerificationError as error:
        raise Unreachable(f"Its certificate is not valid: {error.verify_message}"[:100]) from error
    except (OSError, HTTPException, UnicodeError) as error:
        raise Unreachable(_named(error)) from error


def _named(error: Exception) -> str:
    if isinstance(error, socket.gaierror):
        return "Its name leads to no address"
    if isinstance(error, ConnectionRefusedError):
        return "It takes no connection"
    return f"It did not answer properly ({type(error).__name__})"


def _text(response: HTTPResponse) -> str:
    content = response.read(MOST_BYTES)
    return content.decode(errors="replace").replace("\0", "\N{REPLACEMENT CHARACTER}")


class _Connection(HTTPConnection):
    """To one of the checked IP addresses; the certificate has to be of the name."""

    def __init__(self, url: str, ends: float) -> None:
        parts = urlsplit(url)
        self._secure = parts.scheme == "https"
        self._ends = ends
        self._opened = ExitStack()
        super().__init__(str(parts.hostname), parts.port or (443 if self._secure else 80))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def connect(self) -> None:
        failure: OSError = OSError("no address")
        for ip in addresses.found(self.host, self.port, left_until(self._ends)):
            try:
                raw = socket.create_connection((ip, self.port), timeout=left_until(self._ends))
            except OSError as error:
                failure = error
            else:
                self._opened.enter_context(raw)
                # The body does not wait until the headers are acknowledged.
                raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.sock = _Bounded(self._wrapped(raw), self._ends)
                return
        raise failure

    def _wrapped(self, raw: socket.socket) -> socket.socket:
        if not self._secure:
            return raw
        raw.settimeout(left_until(self._ends))
        sock = ssl.create_default_context().wrap_socket(raw, server_hostname=self.host)
        return self._opened.enter_context(sock)


class _Bounded:
    """A socket whose reads and writes share one time limit: what sends a byte now and then would
    never meet a limit of each."""

    def __init__(self, sock: socket.socket, ends: float) -> None:
        self._sock = sock
        self._ends = ends

    def sendall(self, data: Any) -> None:
        self._sock.settimeout(left_until(self._ends))
        self._sock.sendall(data)

    def makefile(self, *_: object) -> io.BufferedReader:
        return io.BufferedReader(_Incoming(self._sock, self._ends))

    def close(self) -> None:
        """The connection closes what it opened: a response may still be read."""


class _Incoming(io.RawIOBase):
    def __init__(self, sock: socket.socket, ends: float) -> None:
        self._sock = sock
        self._ends = ends

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._sock.settimeout(left_until(self._ends))
        return self._sock.recv_into(buffer)


def left_until(ends: float) -> float:
    left = ends - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left

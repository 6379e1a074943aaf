"""The state folder: one runner at a time, its secrets, its logs."""

import fcntl
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from allo.embedded.errors import RunnerError


def _random() -> str:
    return secrets.token_urlsafe(48)


@dataclass(frozen=True)
class Secrets:
    """Made at the first start and kept."""

    secret_key: str = field(default_factory=_random)
    superuser_password: str = field(default_factory=_random)
    owner_password: str = field(default_factory=_random)
    app_password: str = field(default_factory=_random)
    valkey_password: str = field(default_factory=_random)
    bank_secret: str = field(default_factory=_random)
    bank_webhook_secret: str = field(default_factory=_random)


class InUse(RunnerError):
    """Another runner has locked the state folder."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock the state folder for this runner; the kernel unlocks it however the runner ends."""
    _make(folder)
    with (folder / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise InUse(
                f"{folder} is in use by another runner, process {lock.read()}.",
                "Stop that one, or start this one with another STATE_DIR and PORT.",
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _make(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if not any(folder.iterdir()):
        # Under root the servers' account has to traverse this folder; it still cannot list it.
        folder.chmod(0o711 if os.geteuid() == 0 else 0o700)
    (folder / "log").mkdir(mode=0o700, exist_ok=True)


def read_secrets(folder: Path) -> Secrets:
    path = folder / "secrets.json"
    if not path.exists():
        _refuse_lost_secrets(folder, path)
        return keep_secrets(folder, Secrets())
    try:
        found = json.loads(path.read_text())
        secrets = Secrets(**found)
    except (ValueError, TypeError):
        raise RunnerError(
            f"{path} is damaged.", "Restore it, or remove the state folder to begin afresh."
        ) from None
    # An earlier version stored fewer secrets.
    return secrets if asdict(secrets) == found else keep_secrets(folder, secrets)


def keep_secrets(folder: Path, secrets: Secrets) -> Secrets:
    write_private(folder / "secrets.json", json.dumps(asdict(secrets), indent=2) + "\n")
    return secrets


def has_database(folder: Path) -> bool:
    """Also true for one whose upgrade was interrupted at its very end."""
    return any((folder / "servers" / name).exists() for name in ("postgres", "postgres.upgraded"))


def _refuse_lost_secrets(folder: Path, path: Path) -> None:
    if has_database(folder):
        raise RunnerError(
            f"{path} is gone, and with it the passwords of the database beside it.",
            "Restore it, or remove the state folder to begin afresh.",
        )


def read_log_bytes(environ: Mapping[str, str]) -> int:
    """The size at which a log is rotated."""
    text = environ.get("LOG_MAX_BYTES") or "10000000"
    if not (text.isascii() and text.isdigit() and int(text) >= 1000):
        raise RunnerError(f"LOG_MAX_BYTES={text} is not a size.", "Give a number of 1000 or more.")
    return int(text)


def write_environment(path: Path, variables: Mapping[str, str]) -> None:
    """Write the addresses with which `manage.py` alone finds the private servers."""
    write_private(path, "".join(f"{name}='{value}'\n" for name, value in variables.items()))


def names_another(file: Path, folder: Path) -> str:
    """The state folder for which such a file was written, if it is not `folder`; else nothing."""
    lines = file.read_text().splitlines() if file.exists() else []
    found = dict(line.split("=", 1) for line in lines if "=" in line)
    named = found.get("STATE_DIR", "").removeprefix("'").removesuffix("'")
    return named if named and Path(named).resolve() != folder else ""


def write_private(path: Path, text: str) -> None:
    """Replace a file atomically; it is never readable by anyone but its owner."""
    unfinished = path.with_name(path.name + ".new")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    unfinished.rename(path)

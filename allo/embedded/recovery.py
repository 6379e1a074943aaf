"""Backs up the shop of a state folder, running or not, and makes a new state folder from a
backup."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from allo.embedded.bank import PROJECT, bank_secrets
from allo.embedded.errors import RunnerError
from allo.embedded.placement import remove_servers
from allo.embedded.servers import start_servers
from allo.embedded.state import Secrets, has_database, keep_secrets, read_secrets
from allo.embedded.supervisor import Supervisor
from allo.recovery import archive

# The runner makes these itself; they do not show that a folder contains a shop.
NOT_OF_A_SHOP = {"lock", "log"}
# Exists as long as the folder contains only a part of a shop.
MARK = "restoring"


def manage(environ: Mapping[str, str], *command: str) -> int:
    """Run a command of Django's with the addresses that it finds by itself."""
    return subprocess.run(_manage(*command), env=environ, check=False).returncode


def back_up(
    supervisor: Supervisor, state: Path, environ: Mapping[str, str], command: tuple[str, ...]
) -> int:
    """For a shop that does not run: its servers run for the time of the backup."""
    require_whole(state)
    if not has_database(state):
        raise RunnerError(f"There is no shop in {state}.", "Name its folder with STATE_DIR.")
    return _with_servers(supervisor, state, read_secrets(state), environ, command)


def read_kept(file: Path) -> Secrets:
    """The secrets that belong to a shop. Those of its servers are made anew."""
    try:
        with archive.opened(file) as backup:
            found = {name: text for name, text in vars(backup.secrets).items() if text}
    except archive.BackupRefused as refusal:
        raise RunnerError(str(refusal), refusal.hint) from None
    return Secrets(**found)


def restore(
    supervisor: Supervisor,
    state: Path,
    environ: Mapping[str, str],
    kept: Secrets,
    command: tuple[str, ...],
) -> int:
    """Restores all of it, or leaves an empty folder. A restore that was killed is repeated from the
    start."""
    _require_empty(state)
    (state / MARK).touch()
    code = 1
    try:
        _clear(state)
        keep_secrets(state, kept)
        code = _with_servers(supervisor, state, kept, environ, command)
    finally:
        supervisor.stop()
        if code not in (0, archive.RESTORED_AS_IT_WAS):
            _clear(state)
        (state / MARK).unlink()
    return code


def require_whole(state: Path) -> None:
    if (state / MARK).exists():
        raise RunnerError(
            f"{state} has only a part of a shop: its restore was interrupted.",
            "Repeat that: STATE_DIR=… make restore BACKUP=…",
        )


def _require_empty(state: Path) -> None:
    if (state / MARK).exists():
        return
    if {path.name for path in state.iterdir()} - NOT_OF_A_SHOP:
        raise RunnerError(
            f"{state} is in use: there is something in it.",
            "Nothing was changed. Name a new folder with STATE_DIR, or move this one away first.",
        )


def _clear(state: Path) -> None:
    remove_servers(state)
    for path in state.iterdir():
        if path.name in NOT_OF_A_SHOP or path.name == MARK:
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def _with_servers(
    supervisor: Supervisor,
    state: Path,
    secrets: Secrets,
    environ: Mapping[str, str],
    command: tuple[str, ...],
) -> int:
    variables = {
        **start_servers(supervisor, state, secrets, environ),
        **bank_secrets(secrets),
        "SECRET_KEY": secrets.secret_key,
        "STATE_DIR": str(state),
    }
    return supervisor.run(_manage(*command), {**environ, **variables})


def _manage(*command: str) -> list[str]:
    return [sys.executable, os.fspath(PROJECT / "manage.py"), *command]

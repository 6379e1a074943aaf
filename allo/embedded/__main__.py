"""`python -m allo.embedded` with `up`, `backup`, `restore`, `upgrade` or `exec -- COMMAND`."""

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from allo.embedded import recovery
from allo.embedded.address import Addresses
from allo.embedded.console import explain, say
from allo.embedded.errors import RunnerError
from allo.embedded.placement import find_place, remove_servers, remove_sockets
from allo.embedded.processes import die_with_parent
from allo.embedded.servers import OWNER_URL, start_servers
from allo.embedded.shop import PROJECT, serve
from allo.embedded.signals import SignalQueue, Stopped
from allo.embedded.state import InUse, has_database, locked, read_log_bytes, read_secrets
from allo.embedded.supervisor import Supervisor
from allo.embedded.upgrade import upgrade


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except Stopped:
        return 128 + signal.SIGINT
    except (RunnerError, OSError) as error:
        print(explain(error), file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m allo.embedded")
    verbs = parser.add_subparsers(required=True)
    everything = verbs.add_parser("up", help="start the whole shop and watch over it")
    everything.add_argument(
        "--with-parent", action="store_true", help="stop when the parent process ends (Linux)"
    )
    everything.set_defaults(run=_up)
    backup = verbs.add_parser("backup", help="write a backup of the shop into one file")
    backup.add_argument("file", type=_file, nargs="?")
    backup.set_defaults(run=_back_up)
    restore = verbs.add_parser("restore", help="make a new state folder from a backup")
    restore.add_argument("file", type=_file)
    restore.set_defaults(run=_restore)
    newer = verbs.add_parser("upgrade", help="move the data to this version's PostgreSQL")
    newer.set_defaults(run=_upgrade)
    execute = verbs.add_parser("exec", help="run a command with private servers, then stop them")
    execute.add_argument("--state", type=Path, help="state folder (default: a temporary one)")
    execute.add_argument(
        "-c", dest="settings", action="append", default=[], metavar="NAME=VALUE", type=_setting,
        help="a setting of PostgreSQL",
    )  # fmt: skip
    execute.add_argument("command", nargs="+")
    execute.set_defaults(run=_execute)
    return parser


def _file(text: str) -> Path:
    return Path(text).expanduser().absolute()


def _setting(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name, value


def _up(options: argparse.Namespace) -> int:
    if options.with_parent:
        die_with_parent(signal.SIGTERM)
    state = _shops_folder()
    with _supervised(state) as supervisor:
        recovery.require_whole(state)
        addresses = Addresses.read(os.environ)
        addresses.require_free()
        try:
            serve(supervisor, state, addresses, os.environ)
        except Stopped:
            asked = time.monotonic()
            say("\nStopping everything in order. Press Ctrl-C again to stop at once.")
    say(f"Stopped in {time.monotonic() - asked:.1f} s.")
    return 0


def _back_up(options: argparse.Namespace) -> int:
    state = _shops_folder()
    command = ("backup", *([str(options.file)] if options.file else []))
    beside_it = {**os.environ, "STATE_DIR": str(state)}
    if "DATABASE_URL" in os.environ:
        return recovery.manage(beside_it, *command)
    if not state.exists():
        raise RunnerError(f"There is no shop in {state}.", "Name its folder with STATE_DIR.")
    try:
        with _supervised(state) as supervisor:
            return recovery.back_up(supervisor, state, os.environ, command)
    except InUse:  # in use by a running shop
        return recovery.manage(beside_it, *command)


def _restore(options: argparse.Namespace) -> int:
    state = _shops_folder()
    command = ("restore", str(options.file))
    if "DATABASE_URL" in os.environ:
        return recovery.manage({**os.environ, "STATE_DIR": str(state)}, *command)
    kept = recovery.read_kept(options.file)
    with _supervised(state) as supervisor:
        return recovery.restore(supervisor, state, os.environ, kept, command)


def _upgrade(_options: argparse.Namespace) -> int:
    state = _shops_folder()
    if not has_database(state):
        raise RunnerError(
            f"There is no PostgreSQL of Allo's own in {state}.",
            "Name the shop's folder with STATE_DIR. Another server is upgraded by its own means.",
        )
    with _supervised(state) as supervisor:
        recovery.require_whole(state)
        secrets, programs = read_secrets(state), os.environ.get("OLD_POSTGRES", "")
        try:
            upgrade(supervisor, find_place(state), secrets, programs)
        except Stopped:
            say("Interrupted. Nothing was changed.")
            raise
    return 0


def _shops_folder() -> Path:
    return Path(os.environ.get("STATE_DIR") or PROJECT / "var").resolve()


def _execute(options: argparse.Namespace) -> int:
    with _state_folder(options.state) as state, _supervised(state) as supervisor:
        secrets = read_secrets(state)
        addresses = start_servers(supervisor, state, secrets, os.environ, dict(options.settings))
        if owner := addresses.get(OWNER_URL):
            # Tests create databases, which only the owner may do.
            addresses |= {"APP_DATABASE_URL": addresses["DATABASE_URL"], "DATABASE_URL": owner}
        variables = {**addresses, "SECRET_KEY": secrets.secret_key, "STATE_DIR": str(state)}
        code = supervisor.run(options.command, {**os.environ, **variables})
    return code if code >= 0 else 128 - code


@contextmanager
def _state_folder(chosen: Path | None) -> Iterator[Path]:
    if chosen:
        yield chosen.resolve()
        return
    folder = Path(tempfile.mkdtemp(prefix="allo-"))
    try:
        yield folder
    finally:
        remove_servers(folder)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _supervised(state: Path) -> Iterator[Supervisor]:
    log_bytes = read_log_bytes(os.environ)
    with SignalQueue() as queue, locked(state):
        supervisor = Supervisor(queue, state / "log", log_bytes)
        try:
            yield supervisor
        finally:
            supervisor.stop()
            remove_sockets(state)


if __name__ == "__main__":
    sys.exit(main())

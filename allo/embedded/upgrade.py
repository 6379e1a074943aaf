"""Moves the data of an older major version of PostgreSQL to the version that Allo installs now.

The old server, run by the programs that the state folder kept, and a new one run beside each other,
and everything is copied from one to the other. Then they change places. Until then the old data are
only read, so an upgrade that fails or is killed is repeated from its start.
"""

import os
import re
import shutil
from itertools import count
from pathlib import Path

from allo.embedded.console import say, step
from allo.embedded.errors import RunnerError
from allo.embedded.moving import Move
from allo.embedded.placement import POSTGRES, Place, wheel_folder
from allo.embedded.postgres import FOLDER, UNFINISHED, UPGRADED, Cluster, password_statement
from allo.embedded.state import Secrets
from allo.embedded.supervisor import Supervisor

# Not the port that allo.env means: until the end nothing that reads it reaches either server, not
# even `make backup`.
OLD_PORT, NEW_PORT = 5433, 5434


def keep_programs(place: Place) -> None:
    """Keep the present programs, in case a newer package replaces them. Remove older ones, unless
    their data are here."""
    package, folder = wheel_folder(*POSTGRES)
    today = place.copy(package, linked=place.reaches(folder))
    majors = {_major(today)} | {path.name.split("-")[1] for path in place.home.glob(f"{FOLDER}-*")}
    for kept in _kept(place):
        if kept != today and (_major(kept) not in majors or _major(kept) == _major(today)):
            shutil.rmtree(kept)


def upgrade(supervisor: Supervisor, place: Place, secrets: Secrets, old_programs: str) -> None:
    """`old_programs` is a `bin` folder; if empty, those that were kept are used."""
    used, new = Cluster(place), Cluster(place, folder=UNFINISHED, port=NEW_PORT)
    used.finish_upgrade()
    major = used.major_of_data()
    if not used.is_newer_than(major):
        used.check()
        say(f"{used.data} is of PostgreSQL {used.version} already: there is nothing to do.")
        return
    programs = Path(old_programs) if old_programs else _kept_programs(place, major)
    old = Cluster(place, port=OLD_PORT, given_programs=programs)
    _require_version(old, major)
    _require_space(used.data)
    say(
        f"Moving {used.data} from PostgreSQL {old.version} to {new.version}."
        " Until the end it is only read, so this may be interrupted, and repeated."
    )
    try:
        _fill(supervisor, old, new, secrets)
    except BaseException:
        supervisor.stop()
        shutil.rmtree(new.data, ignore_errors=True)
        raise
    aside = _free_name(used.data.with_name(f"{FOLDER}-{major}"))
    change_places(used.data, new.data, aside)
    say(f"Done. The old data are in {aside}; remove that folder when you need it no longer.")


def _fill(supervisor: Supervisor, old: Cluster, new: Cluster, secrets: Secrets) -> None:
    with step("Both servers"):
        for cluster in (old, new):
            cluster.end_leftovers(supervisor.queue)
        new.create(password_statement(secrets))
        supervisor.start(old.service(), new.service())
    Move(old, new, secrets.superuser_password, supervisor.queue).everything()
    supervisor.stop()


def _require_version(old: Cluster, major: str) -> None:
    try:
        found = old.major
    except OSError as error:
        found = f"none ({error.strerror})"
    if found != major:
        raise RunnerError(
            f"The data were written by PostgreSQL {major}; in {old.given_programs} is {found}.",
            f"Name the `bin` folder of PostgreSQL {major} in OLD_POSTGRES. Nothing was changed.",
        )


def _kept_programs(place: Place, major: str) -> Path:
    kept = [path for path in _kept(place) if _major(path) == major]
    if not kept:
        raise RunnerError(
            f"The programs of PostgreSQL {major} are not in {place.home}.",
            f"Install PostgreSQL {major} from anywhere, and name its `bin` folder:"
            f" OLD_POSTGRES=/usr/lib/postgresql/{major}/bin make upgrade. Nothing was changed.",
        )
    return max(kept, key=_numbers) / POSTGRES[1] / "bin"


def _kept(place: Place) -> list[Path]:
    folders = place.home.glob(f"{POSTGRES[0]}-*")
    return [path for path in folders if re.fullmatch(r"[\d.]+", path.name.rpartition("-")[2])]


def _major(kept: Path) -> str:
    return str(_numbers(kept)[0])


def _numbers(kept: Path) -> list[int]:
    return [int(part) for part in kept.name.rpartition("-")[2].split(".") if part]


def _free_name(path: Path) -> Path:
    names = (path.with_name(f"{path.name}-{n}") if n else path for n in count())
    return next(name for name in names if not name.exists())


def _require_space(data: Path) -> None:
    """The new data take at most as much as the old."""
    needed = sum(path.lstat().st_size for path in data.rglob("*"))
    free = shutil.disk_usage(data).free
    if free < needed:
        raise RunnerError(
            f"The new data need up to {needed / 1e6:.0f} MB; {data.parent} has"
            f" {free / 1e6:.0f} MB left.",
            "Make room there first. Nothing was changed.",
        )


def change_places(used: Path, new: Path, aside: Path) -> None:
    """Killed after the first step, the next upgrade begins anew; after the second, the next start
    does the third."""
    upgraded = used.with_name(UPGRADED)
    shutil.rmtree(upgraded, ignore_errors=True)
    for source, target in ((new, upgraded), (used, aside), (upgraded, used)):
        source.rename(target)
        folder = os.open(used.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)

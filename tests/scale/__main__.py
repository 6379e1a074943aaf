"""`make scale`: servers of PostgreSQL fail under load, and what is in front of them, as tables.

`ARGS` may name sections by the first words of their titles; then `RESULTS.md` stays.
"""

import os
import platform
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

import django

django.setup()

from tests import prepared  # noqa: E402
from tests.running import state_folder  # noqa: E402
from tests.scale import patroni, pooler, several, standby  # noqa: E402

RESULTS = Path(__file__).with_name("RESULTS.md")
SECTIONS = {
    "A standby is promoted": standby.report,
    "A primary is silent": standby.silences,
    "Several processes": several.report,
    "Patroni": patroni.report,
    "pgbouncer": pooler.report,
}


def main() -> None:
    prepared.begin()
    wanted = sys.argv[1:]
    try:
        with (Path(os.devnull) if wanted else RESULTS).open("w") as results:
            for line in report(wanted):
                print(line, flush=True)
                print(line, file=results)
    finally:
        prepared.end()


def report(wanted: Collection[str]) -> Iterator[str]:
    yield "# What `make scale` saw\n"
    yield (
        f"{os.cpu_count()} cores ({platform.machine()}), shared by callers, web server and all"
        " servers of PostgreSQL, and noisy. No fsync is left out."
    )
    for title, section in SECTIONS.items():
        if not wanted or any(title.startswith(words) for words in wanted):
            yield f"\n## {title}\n"
            with state_folder() as folder:
                folder.mkdir(mode=0o711)
                yield from section(folder)


if __name__ == "__main__":
    main()

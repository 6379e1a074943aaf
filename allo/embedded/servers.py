"""The private servers: PostgreSQL and Valkey, unless their addresses are given."""

from collections.abc import Mapping
from pathlib import Path

from allo.embedded.console import step
from allo.embedded.placement import Place, find_place
from allo.embedded.postgres import APP, OWNER, Cluster
from allo.embedded.state import Secrets
from allo.embedded.supervisor import Supervisor
from allo.embedded.upgrade import keep_programs
from allo.embedded.valkey import valkey_service, valkey_url

Variables = dict[str, str]

OWNER_URL = "MIGRATION_DATABASE_URL"


def start_servers(
    supervisor: Supervisor,
    state: Path,
    secrets: Secrets,
    environ: Mapping[str, str],
    settings: Mapping[str, str] | None = None,
    *,
    lasting: bool = False,
) -> Variables:
    """Start each server whose address `environ` does not give; return the addresses. With `lasting`
    the programs of PostgreSQL are kept beside its data, for later upgrades."""
    addresses = {name: url for name in ("DATABASE_URL", "REDIS_URL") if (url := environ.get(name))}
    if len(addresses) == 2:
        return addresses
    place = find_place(state)
    if "DATABASE_URL" not in addresses:
        addresses |= _start_postgres(supervisor, Cluster(place, settings or {}), secrets)
        if lasting:
            keep_programs(place)
    if "REDIS_URL" not in addresses:
        addresses |= _start_valkey(supervisor, place, secrets)
    return addresses


def _start_postgres(supervisor: Supervisor, cluster: Cluster, secrets: Secrets) -> Variables:
    with step(f"PostgreSQL {cluster.version}"):
        cluster.ensure(secrets)
        cluster.end_leftovers(supervisor.queue)
        supervisor.start(cluster.service())
    return {
        "DATABASE_URL": cluster.url(APP, secrets.app_password),
        OWNER_URL: cluster.url(OWNER, secrets.owner_password),
    }


def _start_valkey(supervisor: Supervisor, place: Place, secrets: Secrets) -> Variables:
    with step("Valkey"):
        supervisor.start(valkey_service(place, secrets.valkey_password))
    return {"REDIS_URL": valkey_url(place, secrets.valkey_password)}

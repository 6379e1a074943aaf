"""Migrates databases of tests, back and forth."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor


@contextmanager
def before(app: str, name: str, *others: tuple[str, str]) -> Iterator[None]:
    """Inside, the migration and all later ones are undone, and the others; at the end they are
    applied again."""
    nodes = MigrationExecutor(connection).loader.graph.node_map
    wanted = [(app, name), *others]
    _migrate([p.key for key in wanted for p in nodes[key].parents if p.key[0] == key[0]])
    try:
        yield
    finally:
        _migrate(MigrationExecutor(connection).loader.graph.leaf_nodes())


def migrate_unhurried() -> None:
    """All migrations, without the time limit of the shop's transactions: a busy machine needs
    longer for some."""
    options = connection.settings_dict["OPTIONS"]
    limit, options["transaction_timeout"] = options["transaction_timeout"], 0
    call_command("migrate", verbosity=0)
    connection.close()
    options["transaction_timeout"] = limit


def _migrate(targets: list[tuple[str, str]]) -> None:
    MigrationExecutor(connection).migrate(targets)

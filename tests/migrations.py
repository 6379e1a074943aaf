"""Migrates databases of tests, back and forth."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor


@contextmanager
def before(app: str, name: str) -> Iterator[None]:
    """Inside, the migration and all later ones are undone; at the end they are applied again."""
    loader = MigrationExecutor(connection).loader
    (parent,) = (key for key in loader.graph.node_map[app, name].parents if key.key[0] == app)
    _migrate([parent.key])
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

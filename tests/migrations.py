"""A database in the state before a migration."""

from collections.abc import Iterator
from contextlib import contextmanager

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


def _migrate(targets: list[tuple[str, str]]) -> None:
    MigrationExecutor(connection).migrate(targets)

"""A database as it was before a migration, and the way back to now."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection
from django.db.migrations.executor import MigrationExecutor


@contextmanager
def before(app: str, name: str) -> Iterator[None]:
    """All that the migration and those after it did is undone inside; done again at the end."""
    loader = MigrationExecutor(connection).loader
    (parent,) = (key for key in loader.graph.node_map[app, name].parents if key.key[0] == app)
    _migrate([parent.key])
    try:
        yield
    finally:
        _migrate(MigrationExecutor(connection).loader.graph.leaf_nodes())


def _migrate(targets: list[tuple[str, str]]) -> None:
    MigrationExecutor(connection).migrate(targets)

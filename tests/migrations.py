"""Migrates databases of tests, back and forth.

A walk takes seconds, so tests share walks: each of their parts is a generator that writes rows, and
yields; looks at them where the walk turns, and yields; and looks at what came back.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.graph import Node
from django.db.migrations.state import ProjectState
from pgtrigger.migrations import AddTrigger, RemoveTrigger

from allo.postgresql import migrating

Target = tuple[str, str | None]


@contextmanager
def before(app: str, name: str, *others: tuple[str, str]) -> Iterator[None]:
    """Inside, the migration and all later ones are undone, and the others; at the end they are
    applied again."""
    nodes = MigrationExecutor(connection).loader.graph.node_map
    wanted = [(app, name), *others]
    _migrate([target for key in wanted for target in _just_before(nodes[key])])
    try:
        yield
    finally:
        _migrate(MigrationExecutor(connection).loader.graph.leaf_nodes())


def carry(parts: Sequence[Iterator[None]], first: tuple[str, str], *more: tuple[str, str]) -> None:
    """Walk all parts back before these migrations, and forth again."""
    for part in parts:
        next(part)
    with before(*first, *more):
        for part in parts:
            next(part)
    for part in parts:
        assert next(part, "done") == "done"


def migrate_unhurried() -> None:
    """All migrations, without the time limit of the shop's transactions: a busy machine needs
    longer for some."""
    options = connection.settings_dict["OPTIONS"]
    limit, options["transaction_timeout"] = options["transaction_timeout"], 0
    call_command("migrate", verbosity=0)
    connection.close()
    options["transaction_timeout"] = limit


def _just_before(node: Node) -> list[Target]:
    app, _ = node.key
    return [it.key for it in node.parents if it.key[0] == app] or [(app, None)]


def _migrate(targets: Sequence[Target]) -> None:
    with migrating.collecting_less(), _keeps_classes(AddTrigger), _keeps_classes(RemoveTrigger):
        MigrationExecutor(connection).migrate(targets)


def _keeps_classes(operation: type[Any]) -> Any:
    """A class is the same with a trigger as without. Making it anew for each of a hundred triggers,
    with all that are related to it, would take a third of the time."""
    usual: Callable[[Any, str, ProjectState], None] = operation.state_forwards

    def state_forwards(self: Any, app_label: str, state: ProjectState) -> None:
        classes = vars(state).pop("apps", None)
        usual(self, app_label, state)
        if classes:
            vars(state)["apps"] = classes

    return patch.object(operation, "state_forwards", state_forwards)

"""Imports go downwards in the ORM as well: a lookup that leads from a product to its stock is, in
`catalog`, an import of `inventory` that no linter sees."""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps
from django.db.models import Model

PROJECT = Path(__file__).resolve().parents[2]
[CONTRACT] = (
    contract
    for contract in tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["importlinter"][
        "contracts"
    ]
    if contract["name"] == "Imports go downwards"
)
LAYERS = [layer.split(" | ") for layer in CONTRACT["layers"]]
ABOVE_ALL = len(LAYERS)

# Calls whose texts are lookups, and those whose keywords are; `annotate(name=…)` makes a name.
READS = {
    "aggregate", "alias", "annotate", "defer", "distinct", "earliest", "exclude", "filter",
    "latest", "only", "order_by", "prefetch_related", "select_related", "values", "values_list",
    "Avg", "Count", "Exists", "F", "Max", "Min", "OuterRef", "Prefetch", "Q", "Sum",
    "getattr", "attrgetter",
}  # fmt: skip
CHOOSES = {"exclude", "filter", "get", "get_or_create", "Q"}
ADMIN = {
    "date_hierarchy", "export_columns", "fields", "list_display", "list_filter",
    "list_select_related", "ordering", "search_fields",
}  # fmt: skip


def level_of(module: str) -> int:
    """How high a module stands in the contract; what it does not name is above all."""
    for height, layer in enumerate(reversed(LAYERS)):
        if any(module == name or module.startswith(f"{name}.") for name in layer):
            return height
    return ABOVE_ALL


def level_of_model(model: type[Model]) -> int:
    return level_of(model.__module__) if (PROJECT / model._meta.app_label).is_dir() else -1


def reached(model: type[Model], path: str) -> list[type[Model]]:
    """The models that a lookup passes through when it starts here; none if it cannot."""
    passed = []
    for name in path.split("__"):
        found = {field.name: field for field in model._meta.get_fields()}.get(name)
        related = found and found.is_relation and found.related_model
        if not isinstance(related, type):
            break
        model = related
        passed.append(model)
    return passed


def is_column(path: str, level: int) -> bool:
    """Whether a model up to the level has a column of this name: a line of a file is not the line
    of an order."""
    name = path.partition("__")[0]
    columns = (
        (model, field.name)
        for model in apps.get_models()
        for field in model._meta.get_fields()
        if not field.is_relation
    )
    return any(name == column and level_of_model(model) <= level for model, column in columns)


def climbs(path: str, level: int) -> bool:
    """Whether this lookup leads above the level, wherever it may start."""
    ways = [[model, *way] for model in apps.get_models() if (way := reached(model, path))]
    lawful = any(max(map(level_of_model, way)) <= level for way in ways) or is_column(path, level)
    return not lawful and any(max(map(level_of_model, way[1:])) > level for way in ways)


def lookups(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            yield from _of_call(name, node)
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(getattr(target, "id", "") in ADMIN for target in targets):
                yield from texts(node.value)


def _of_call(name: str, call: ast.Call) -> Iterator[tuple[int, str]]:
    if name in READS:
        for argument in call.args:
            yield from texts(argument)
    if name in CHOOSES:
        for keyword in call.keywords:
            if keyword.arg:
                yield keyword.value.lineno, keyword.arg
            else:
                yield from texts(keyword.value)


def texts(node: ast.AST) -> Iterator[tuple[int, str]]:
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.lineno, part.value.lstrip("-^=@").replace(".", "__")


def accessors(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """`row.reservation_set`, as the lookup that it is."""
    names = {
        relation.get_accessor_name(): relation.name
        for model in apps.get_models()
        for relation in model._meta.related_objects
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in names:
            yield node.lineno, names[node.attr]


def climbing(source: str, module: str) -> list[str]:
    tree, level = ast.parse(source), level_of(module)
    found = sorted({*lookups(tree), *accessors(tree)})
    return [f"{module}:{line} {path}" for line, path in found if climbs(path, level)]


def modules() -> Iterator[tuple[Path, str]]:
    for app in ("allo", "catalog", "inventory", "reservations", "checkout"):
        for path in sorted((PROJECT / app).rglob("*.py")):
            if "migrations" not in path.parts:
                yield path, ".".join(path.relative_to(PROJECT).with_suffix("").parts)


def test_no_lookup_leads_to_what_its_module_may_not_import() -> None:
    found = [line for path, name in modules() for line in climbing(path.read_text(), name)]
    assert found == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("catalog.models", 'Sum("inventory__total_units")'),
        ("catalog.models", "products.filter(inventory__reservation__status='pending')"),
        ("catalog.forms", "Q(**{'inventory__total_units__gt': 0})"),
        ("inventory.models", 'self.annotate(first=Min("reservation__expires_at"))'),
        ("inventory.low_stock", 'rows.order_by("-reservation__expires_at")'),
        ("inventory.staff.acting", "row.reservation_set.count()"),
        ("reservations.staff.console", "Q(contact__email__iexact=words)"),
        ("reservations.staff.reservations_admin", 'class A: list_select_related = ("contact",)'),
        ("reservations.staff.reservations_admin", 'getattr(row, "contact", None)'),
        ("reservations.staff.reservations_admin", "row.contact.email"),
        ("catalog.models", "rows.order_by('line__name')"),
        ("allo.admin_kit.export", 'rows.select_related("inventory__product")'),
    ],
)
def test_a_planted_climb_is_found(module, source) -> None:
    [found] = climbing(source, module)
    assert found.startswith(f"{module}:1 ")


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("inventory.availability", 'Sum("inventory__total_units")'),
        ("reservations.models", 'self.select_related("inventory__product__category")'),
        ("checkout.staff.reservations_admin", "Q(contact__email__iexact=words)"),
        ("allo.staff.dashboard", "Reservation.objects.values('contact__email')"),
        ("catalog.models", "products.annotate(inventory=Count('slugs'))"),
        ("inventory.models", "Q(reason='sold', reference__isnull=False)"),
        ("inventory.models", "rows.order_by('line')"),
    ],
)
def test_what_leads_downwards_or_nowhere_is_not(module, source) -> None:
    assert climbing(source, module) == []

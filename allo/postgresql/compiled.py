"""Queries of the ORM that are built and compiled once: for a small query that takes several times
as long as PostgreSQL takes to answer it."""

import secrets
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from django.db import DEFAULT_DB_ALIAS, connection
from django.db.models import Model, QuerySet
from django.db.models.query import get_related_populators  # type: ignore[attr-defined]

from allo.postgresql import trips
from allo.postgresql.trips import Statement

Row = TypeVar("Row", bound=Model)

# Values that no query has by chance: they are looked for among its parameters.
EXAMPLES: Mapping[type, Callable[[], object]] = {
    int: lambda: secrets.randbits(62),
    str: lambda: secrets.token_hex(16),
    uuid.UUID: uuid.uuid4,
    datetime: lambda: datetime.fromtimestamp(secrets.randbits(50) / 1e6, UTC),
}


class Compiled(Generic[Row]):
    """A query that differs from call to call only in values of these types. `queryset` gets
    examples of them, once, and may only compare columns to them."""

    def __init__(self, queryset: "Callable[..., QuerySet[Row, Row]]", *types: type) -> None:
        self._queryset = queryset
        self._types = types
        self._plan: Plan[Row] | None = None

    def __call__(self, *values: object) -> list[Row]:
        """The rows with their annotations, and with the related rows that the query selects."""
        return self.plan.run(values)

    @property
    def plan(self) -> "Plan[Row]":
        if self._plan is None:
            examples = [EXAMPLES[kind]() for kind in self._types]
            self._plan = Plan(self._queryset(*examples), examples)
        return self._plan

    def first(self, *values: object) -> Row | None:
        return next(iter(self(*values)), None)


def together(*asked: tuple[Compiled[Any], object]) -> list[list[Any]]:
    """The rows of several queries of one value each, which run in this order, in one round trip and
    one transaction."""
    plans = [query.plan for query, _ in asked]
    sent = [plan.statement((value,)) for plan, (_, value) in zip(plans, asked, strict=True)]
    return [list(plan.made(rows)) for plan, rows in zip(plans, trips.run(sent), strict=True)]


class Plan(Generic[Row]):
    """A compiled query, and how its rows become objects: as `ModelIterable` of Django does it."""

    def __init__(self, queryset: "QuerySet[Row, Row]", examples: list[object]) -> None:
        compiler = queryset.query.get_compiler(DEFAULT_DB_ALIAS)
        self._sql, parameters = compiler.as_sql()
        # Of each parameter: the value itself, or which of a call's values it is.
        self._parameters = [(p, examples.index(p) if p in examples else None) for p in parameters]
        if {place for _, place in self._parameters} - {None} != set(range(len(examples))):
            raise ValueError(f"not all values are compared to: {self._sql}")
        select, found = compiler.select, compiler.klass_info
        assert found, "the query selects objects"
        own = found["select_fields"]
        self._own = slice(own[0], own[-1] + 1)
        self._model: type[Row] = found["model"]
        self._names = [column[0].target.attname for column in select[self._own]]
        self._populators = get_related_populators(found, select, DEFAULT_DB_ALIAS)
        self._annotations = compiler.annotation_col_map or {}
        self._converters = compiler.get_converters([column[0] for column in select])

    def run(self, values: tuple[object, ...]) -> list[Row]:
        with connection.cursor() as cursor:
            cursor.execute(*self.statement(values))
            rows = cursor.fetchall()
        return list(self.made(rows))

    def statement(self, values: tuple[object, ...]) -> Statement:
        sent: list[Any] = [p if place is None else values[place] for p, place in self._parameters]
        return Statement(self._sql, sent)

    def made(self, rows: list[tuple[Any, ...]]) -> Iterator[Row]:
        for row in map(list, rows):
            for place, (converters, expression) in self._converters.items():
                for convert in converters:
                    row[place] = convert(row[place], expression, connection)
            made = self._model.from_db(DEFAULT_DB_ALIAS, self._names, row[self._own])
            for related in self._populators:
                related.populate(row, made)
            vars(made).update({name: row[place] for name, place in self._annotations.items()})
            yield made

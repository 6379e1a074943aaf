from typing import Any

from django.db import models


class Words(models.Field):  # type: ignore[type-arg]  # generic for type checkers alone
    """A tsvector, which only the database writes and reads."""

    def db_type(self, connection: Any) -> str:  # noqa: ARG002 - Django passes it
        return "tsvector"


@Words.register_lookup
class Has(models.Lookup):  # type: ignore[type-arg]
    """`words__has="…"`: the words match this tsquery."""

    lookup_name = "has"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        words, parameters = self.process_lhs(compiler, connection)
        return f"{words} @@ %s::tsquery", [*parameters, self.rhs]

"""Indexes on an expression with an operator class. `django.contrib.postgres` would register that
too, but as an app it also looks up types that nobody uses here on every new connection."""

from django.contrib.postgres.indexes import OpClass
from django.db.models.expressions import OrderBy
from django.db.models.functions import Collate
from django.db.models.indexes import IndexExpression

__all__ = ("OpClass",)

IndexExpression.register_wrappers(OrderBy, OpClass, Collate)  # type: ignore[arg-type]

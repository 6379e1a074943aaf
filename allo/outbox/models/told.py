import json
from functools import cached_property
from typing import Any, Self

from django.db import models
from django.db.models import QuerySet, Subquery
from django.db.models.functions import Now

from allo.outbox.models.message import LATE


class ToldQuerySet(QuerySet["Told"]):
    def late(self) -> Self:
        """The oldest, if it waits for too long: no worker is there."""
        oldest = self.order_by("pk").values("pk")[:1]
        return self.filter(pk=Subquery(oldest), created_at__lt=Now() - LATE)


class Told(models.Model):
    """Events as a transaction told of them, until they are fanned out (`hooks.fanning`).

    One row and one index entry: the events themselves, their deliveries and all their indexes,
    written by `reserve`, cost it a third of its speed.
    """

    created_at = models.DateTimeField(db_default=Now())
    # Whose reader makes events of it (`hooks.catalogue`); empty if they are written whole.
    told_by = models.CharField(max_length=40, blank=True, default="")
    # JSON as text: for `jsonb` the database would take each event apart, while rows are locked.
    events = models.TextField()

    objects = ToldQuerySet.as_manager()

    class Meta:
        ordering = ("pk",)
        default_permissions = ()

    def __str__(self) -> str:
        return f"told {self.pk}"

    @cached_property
    def parts(self) -> list[list[Any]]:
        """Each event as it was told."""
        return list(json.loads(self.events))

    @property
    def size(self) -> int:
        """How many events; 1 if that cannot be read."""
        try:
            return len(self.parts)
        except (ValueError, TypeError, RecursionError):
            return 1

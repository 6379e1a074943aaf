"""Triggers for rules that compare a row's old and new values; a CHECK sees only the new ones."""

from typing import Any

import pgtrigger
from django.db.models import Model

REFUSE = (
    "RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = '{name}',"
    " TABLE = TG_TABLE_NAME, MESSAGE = TG_OP || ' of ' || TG_TABLE_NAME || ' violates \"{name}\"';"
)


class Refuse(pgtrigger.Trigger):
    """Refuses what `operation` and `condition` describe, as a CHECK constraint of this name would:
    with SQLSTATE 23514, an IntegrityError in Django, and the constraint's name.
    """

    when = pgtrigger.Before

    def get_func(self, model: Any) -> str:  # noqa: ARG002
        return REFUSE.format(name=self.name)


class RefuseUnless(pgtrigger.Trigger):
    """Refuses in the same way what `fact`, an SQL condition on NEW, OLD and other rows, is not true
    for. `first` are statements that come before it, such as a lock."""

    when = pgtrigger.Before

    def __init__(self, *, fact: str, first: str = "", **more: Any) -> None:
        self.fact, self.first = fact, first
        super().__init__(**more)

    def get_func(self, model: Any) -> str:  # noqa: ARG002
        refuse = REFUSE.format(name=self.name)
        return (
            f"{self.first} IF ({self.fact}) IS NOT TRUE THEN {refuse} END IF;"
            " RETURN coalesce(NEW, OLD);"
        )


def always_refused(model: type[Model]) -> list[str]:
    """The statements that the model's triggers refuse for any row: "UPDATE", "DELETE"."""
    refused = {
        statement
        for trigger in getattr(model._meta, "triggers", ())
        if isinstance(trigger, Refuse) and trigger.condition is None
        for statement in str(trigger.operation).split(" OR ")
    }
    return sorted(refused & {"UPDATE", "DELETE"})

"""Rules that compare a row with what it was before, where a CHECK sees only the new one."""

from typing import Any

import pgtrigger

REFUSE = (
    "RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = '{name}',"
    " TABLE = TG_TABLE_NAME, MESSAGE = TG_OP || ' of ' || TG_TABLE_NAME || ' violates \"{name}\"';"
)


class Refuse(pgtrigger.Trigger):
    """Refuses what `operation` and `condition` describe as a CHECK constraint of this name would:
    with SQLSTATE 23514, which Django raises as IntegrityError, and the name as the constraint's.
    """

    when = pgtrigger.Before

    def get_func(self, model: Any) -> str:  # noqa: ARG002
        return REFUSE.format(name=self.name)

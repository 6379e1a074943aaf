"""What the database enforces for reservations, whatever program writes to them."""

from typing import Any

import pgtrigger

from allo.postgresql.triggers import Refuse

# The value that replaces a forgotten holder; it still tells which program held for it, if any.
NOBODY, HELD_FOR = "nobody", "^(token:[0-9]+:)?.*$"
FORGOTTEN = rf"regexp_replace({{0}}.holder, '{HELD_FOR}', '\1{NOBODY}')"


class ChangesWhatEnded(pgtrigger.Condition):
    """Of a reservation that has ended only the holder and the network can be removed; this is true
    of any other change."""

    def resolve(self, model: Any) -> str:
        others = pgtrigger.AnyChange(exclude=["holder", "address", "around"]).resolve(model)
        return (
            f"OLD.status <> 'pending' AND ({others}"
            f" OR (NEW.holder <> OLD.holder AND NEW.holder <> {FORGOTTEN.format('OLD')})"
            " OR (NEW.address <> OLD.address AND NEW.address <> '')"
            " OR (NEW.around <> OLD.around AND NEW.around <> ''))"
        )

    def __init__(self) -> None:
        """Its text follows from the model."""


OF_RESERVATION = (
    Refuse(
        name="final_is_final",
        operation=pgtrigger.Update,
        condition=ChangesWhatEnded(),
    ),
    Refuse(name="history_is_kept", operation=pgtrigger.Delete),
    # Fires only for statements that update one of these columns.
    Refuse(
        name="price_is_kept",
        operation=pgtrigger.UpdateOf("inventory_id", "unit_paise", "name"),  # type: ignore[no-untyped-call]
        condition=pgtrigger.AnyChange("inventory", "unit_paise", "name"),
    ),
)

"""What the forms of all verbs share: one number for all rows, or one for each."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar
from uuid import uuid4

from django import forms
from django.contrib.auth.models import User

from allo.web.fields import LineField
from inventory import services
from inventory.adjustments import MAX_UNITS, Adjustment, refusal
from inventory.exceptions import BelowReserved, StockError
from inventory.models import Inventory, StockMovement


@dataclass(frozen=True, slots=True)
class Line:
    """The effect of the form on one row."""

    row: Inventory
    before: int
    change: int
    error: StockError | None = None

    @property
    def after(self) -> int:
        return self.before + self.change

    @property
    def held_too_much(self) -> bool:
        return isinstance(self.error, BelowReserved)


class StockForm(forms.Form):
    """One verb for one row or many. With many, each row has a field that overrides the one for all;
    rows without either number are not changed."""

    title: ClassVar[str]
    done: ClassVar[str]
    permission: ClassVar[str]
    reason: ClassVar[StockMovement.Reason]
    sign: ClassVar[int] = 1
    counts: ClassVar[str] = "total"

    units = forms.IntegerField(min_value=1, max_value=MAX_UNITS)
    note = LineField(max_length=200, required=False)
    # The reference of this form: if it is sent twice it acts once.
    reference = forms.UUIDField(widget=forms.HiddenInput)
    # The rows' totals when the form was shown.
    seen = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(self, rows: Sequence[Inventory], data: Mapping[str, Any] | None = None) -> None:
        super().__init__(data, initial={"reference": uuid4()})
        self.rows = rows
        if len(rows) > 1:
            self.fields["units"].required = False
            for row in rows:
                self.fields[self._own(row)] = self._own_field(row)

    def _own(self, row: Inventory) -> str:
        return f"units_{row.pk}"

    def _own_field(self, row: Inventory) -> forms.Field:
        for_all = self.fields["units"]
        assert isinstance(for_all, forms.IntegerField)
        label = f"{for_all.label or 'Units'}, {row}"
        return forms.IntegerField(
            label=label,
            min_value=for_all.min_value,
            max_value=for_all.max_value,
            required=False,
        )

    def for_all(self) -> list[forms.BoundField]:
        return [field for field in self.visible_fields() if not field.name.startswith("units_")]

    def per_row(self) -> list[tuple[Inventory, forms.BoundField]]:
        return [(row, self[self._own(row)]) for row in self.rows if self._own(row) in self.fields]

    def clean_seen(self) -> dict[int, int]:
        try:
            return {int(pk): int(count) for pk, count in json.loads(self.cleaned_data["seen"])}
        except (ValueError, TypeError, OverflowError, RecursionError):
            return {}

    def clean(self) -> dict[str, Any]:
        if not self.errors and not self.amounts():
            raise forms.ValidationError("Give a number for all rows or for some.")
        return self.cleaned_data

    def amounts(self) -> dict[int, int]:
        """The number of each row: its own, else the one for all."""
        for_all = self.cleaned_data.get("units")
        own = {row.pk: self.cleaned_data.get(self._own(row)) for row in self.rows}
        amounts = {pk: for_all if units is None else units for pk, units in own.items()}
        return {pk: units for pk, units in amounts.items() if units is not None}

    def adjustments(self) -> list[Adjustment]:
        return [
            Adjustment(
                inventory_id=pk,
                delta=self.sign * units,
                reason=self.why(),
                note=self.cleaned_data["note"],
                reference=self.cleaned_data["reference"],
                seen=self.cleaned_data["seen"].get(pk),
            )
            for pk, units in self.amounts().items()
        ]

    def why(self) -> StockMovement.Reason:
        return self.reason

    def was_seen(self) -> bool:
        """Whether the effect on each row was shown before the form was sent."""
        seen: dict[int, int] = self.cleaned_data["seen"]
        return self.amounts().keys() <= seen.keys()

    def said(self, line: Line) -> str:
        return f"{self.counts} {line.before} → {line.after}"

    def lines(self) -> list[Line]:
        """The effect on each row, from its current numbers."""
        rows = {row.pk: row for row in self.rows}
        return [_line(rows[change.inventory_id], change) for change in self.adjustments()]

    def act(self, actor: User) -> None:
        services.apply(adjustments=self.adjustments(), actor=actor)


def _line(row: Inventory, change: Adjustment) -> Line:
    as_it_is = replace(change, seen=None)
    return Line(row, row.total_units, change.delta, refusal(row, as_it_is))

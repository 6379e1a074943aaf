"""One form for each verb that changes stock."""

from typing import Any
from uuid import uuid5

from django import forms
from django.contrib.auth.models import User

from allo.web.fields import LineField
from inventory import services
from inventory.adjustments import MAX_UNITS
from inventory.models import Inventory, StockMovement, Warehouse
from inventory.services import Move
from inventory.staff.stock_form import Line, StockForm

Reason = StockMovement.Reason


class ReceiveForm(StockForm):
    title = "Receive"
    done = "received"
    permission = "receive_stock"
    reason = Reason.RECEIVED


class AdjustForm(StockForm):
    title = "Adjust"
    done = "adjusted"
    permission = "adjust_stock"

    units = forms.IntegerField(
        label="Change",
        min_value=-MAX_UNITS,
        max_value=MAX_UNITS,
        help_text="By how many units, such as 3 or -3. Not the new total.",
    )
    code = forms.ChoiceField(
        label="Reason",
        choices=[("", "Why?"), *((r.value, r.label) for r in StockMovement.ADJUSTMENTS)],
    )
    note = LineField(max_length=200)
    field_order = ("units", "code", "note")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if not self.errors and 0 in self.amounts().values():
            raise forms.ValidationError("A change of 0 changes nothing.")
        return cleaned

    def why(self) -> Reason:
        return Reason(self.cleaned_data["code"])


class WriteOffForm(StockForm):
    title = "Write off"
    done = "written off"
    permission = "write_off_stock"
    reason = Reason.WRITTEN_OFF
    sign = -1

    note = LineField(max_length=200, help_text="What happened to the units.")


class TransferForm(StockForm):
    title = "Move"
    done = "moved"
    permission = "transfer_stock"
    reason = Reason.TRANSFERRED
    sign = -1

    to = forms.ModelChoiceField(Warehouse.objects, label="To warehouse", empty_label="Where to?")
    field_order = ("units", "to", "note")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        to = cleaned.get("to")
        if to and any(row.warehouse_id == to.pk for row in self.rows):
            self.add_error("to", f"It is in {to} already.")
        return cleaned

    def lines(self) -> list[Line]:
        """Yields both rows of each move."""
        to = self.cleaned_data["to"]
        kept = Inventory.objects.filter(
            warehouse=to, product__in=[row.product_id for row in self.rows]
        )
        there = {row.product_id: row for row in kept.select_related("product", "warehouse")}
        lines = []
        for line in super().lines():
            product = line.row.product
            begun = there.setdefault(product.pk, Inventory(product=product, warehouse=to))
            lines += [line, Line(begun, begun.total_units, -line.change)]
            begun.total_units -= line.change
        return lines

    def act(self, actor: User) -> None:
        to, reference = self.cleaned_data["to"], self.cleaned_data["reference"]
        moves = [
            Move(
                inventory_id=taken.inventory_id,
                warehouse_id=to.pk,
                units=-taken.delta,
                note=taken.note,
                # The two lines of a move share a reference; two moves to the same row do not.
                reference=uuid5(reference, str(taken.inventory_id)),
                seen=taken.seen,
            )
            for taken in self.adjustments()
        ]
        services.transfer(moves=moves, actor=actor)


class ThresholdForm(StockForm):
    title = "Set threshold"
    done = "given a threshold"
    permission = "set_threshold"
    counts = "threshold"

    units = forms.IntegerField(
        label="Low from",
        min_value=0,
        max_value=MAX_UNITS,
        help_text="Units or fewer; 0 is never.",
    )
    note = LineField(widget=forms.HiddenInput, required=False)

    def lines(self) -> list[Line]:
        rows = {row.pk: row for row in self.rows}
        return [
            Line(rows[pk], rows[pk].low_stock_threshold, units - rows[pk].low_stock_threshold)
            for pk, units in self.amounts().items()
        ]

    def act(self, actor: User) -> None:
        services.set_threshold(thresholds=self.amounts(), seen=self.cleaned_data["seen"])


FORMS: dict[str, type[StockForm]] = {
    "receive": ReceiveForm,
    "adjust": AdjustForm,
    "transfer": TransferForm,
    "write-off": WriteOffForm,
    "threshold": ThresholdForm,
}
